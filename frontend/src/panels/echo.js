// @ts-check
"use strict";

/** The Echo panel: what its two groups of calls share. The groups themselves are in `echo/`. */

const { EchoCalls } = require("../rpc/echo.js");
const { registerPanel } = require("./registry.js");
const { connectSettings } = require("./echo/settings.js");
const { connectStream } = require("./echo/stream.js");
const { connectUnary } = require("./echo/unary.js");
const { find } = require("../view/dom.js");

/** @typedef {import("./echo/call-group.js").CallGroup} CallGroup */

/**
 * Lets Escape cancel: the call of the group that has the focus, or else all that run.
 *
 * @param {Map<HTMLElement, CallGroup>} groups
 */
function connectEscape(groups) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return; // there, Escape closes the dialog
    const running = [...groups].filter(([, group]) => group.isRunning);
    const focused = running.filter(([root]) => root.contains(document.activeElement));
    for (const [, group] of focused.length > 0 ? focused : running) group.cancel();
  });
}

registerPanel("echo", (root, paths) => {
  const calls = new EchoCalls(paths);
  const settings = connectSettings(root, paths);
  const unary = find(root, "#unary", HTMLElement);
  const stream = find(root, "#stream", HTMLElement);
  connectEscape(
    new Map([
      [unary, connectUnary(unary, calls, settings)],
      [stream, connectStream(stream, calls, settings)],
    ]),
  );
});
