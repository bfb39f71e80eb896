// @ts-check
"use strict";

/** The start of the page. Which panels there are is decided here: each one that is required registers itself. */

const { mountPanels } = require("./panels/registry.js");

require("./panels/echo.js");

mountPanels(document);
