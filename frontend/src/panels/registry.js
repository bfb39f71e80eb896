// @ts-check
"use strict";

/**
 * The panels of the page. A panel registers itself under a name, and is mounted on the element whose `data-panel` is that
 * name, if the page has one.
 */

/**
 * What a panel wants to know after it was mounted. One that makes calls by itself makes them while it is shown.
 *
 * @typedef {object} PanelLife
 * @property {() => void} [show] It can be seen now; called again after each `hide`.
 * @property {() => void} [hide] Another panel has taken its place.
 */

/** @typedef {{ name: string, root: HTMLElement, life: PanelLife }} MountedPanel */

/** @typedef {(root: HTMLElement, paths: import("../rpc/path.js").CallPaths) => PanelLife | void} Mount */

/** @type {Map<string, Mount>} */
const panels = new Map();

/**
 * @param {string} name
 * @param {Mount} mount Connects the panel to its element, once, and its calls to the way that they shall take.
 */
function registerPanel(name, mount) {
  if (panels.has(name)) throw new Error(`There are two panels named ${name}`);
  panels.set(name, mount);
}

/**
 * Mounts all panels that the page has an element for, and gives them.
 *
 * @param {ParentNode} page
 * @param {import("../rpc/path.js").CallPaths} paths
 * @returns {MountedPanel[]}
 */
function mountPanels(page, paths) {
  /** @type {MountedPanel[]} */
  const mounted = [];
  for (const [name, mount] of panels) {
    const root = page.querySelector(`[data-panel="${name}"]`);
    if (root instanceof HTMLElement) mounted.push({ name, root, life: mount(root, paths) ?? {} });
  }
  return mounted;
}

module.exports = { mountPanels, registerPanel };
