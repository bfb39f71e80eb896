// @ts-check
"use strict";

/** The start of the page. Which panels there are is decided here: each one that is required registers itself. */

const { connectNavigation } = require("./panels/navigation.js");
const { connectPathSwitch } = require("./panels/path.js");
const { mountPanels } = require("./panels/registry.js");
const { pathsOf } = require("./rpc/path.js");

require("./panels/echo.js");
require("./panels/users.js");
require("./panels/orders.js");

const pathSwitch = document.querySelector("[data-testid=path]");
const paths = pathsOf(pathSwitch instanceof HTMLElement ? pathSwitch : null);
if (pathSwitch instanceof HTMLElement) connectPathSwitch(pathSwitch, paths);

connectNavigation(mountPanels(document, paths), document.querySelectorAll(".panel-nav a"));
