// @ts-check
"use strict";

/** The start of the page. Which panels there are is decided here: each one that is required registers itself. */

const { connectNavigation } = require("./panels/navigation.js");
const { mountPanels } = require("./panels/registry.js");

require("./panels/echo.js");
require("./panels/users.js");
require("./panels/orders.js");

connectNavigation(mountPanels(document), document.querySelectorAll(".panel-nav a"));
