// @ts-check
"use strict";

/** The switch in the page's header: which way all calls of all panels take. */

const { byTestId, find } = require("../view/dom.js");

/** @typedef {import("../rpc/path.js").CallPaths} CallPaths */
/** @typedef {import("../rpc/path.js").PathName} PathName */

/**
 * @param {HTMLElement} root
 * @param {CallPaths} paths
 */
function connectPathSwitch(root, paths) {
  /** @type {PathName[]} */
  const names = ["in-process", "envoy"];
  const radios = names.map((name) => byTestId(root, `path-${name}`, HTMLInputElement));
  const render = () => {
    root.dataset.path = paths.current;
    for (const radio of radios) radio.checked = radio.value === paths.current;
  };
  radios.forEach((radio, index) => {
    radio.disabled = !paths.hasChoice;
    radio.addEventListener("change", () => paths.choose(names[index] ?? paths.own));
  });
  find(root, ".path-note", HTMLElement).hidden = paths.hasChoice;
  paths.onChange(render);
  render();
  root.hidden = false;
}

module.exports = { connectPathSwitch };
