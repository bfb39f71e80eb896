// @ts-check
"use strict";

/**
 * The panels of the page. A panel registers itself under a name, and is mounted on the element whose `data-panel` is that
 * name, if the page has one.
 */

/** @type {Map<string, (root: HTMLElement) => void>} */
const panels = new Map();

/**
 * @param {string} name
 * @param {(root: HTMLElement) => void} mount Connects the panel to its element, once.
 */
function registerPanel(name, mount) {
  if (panels.has(name)) throw new Error(`There are two panels named ${name}`);
  panels.set(name, mount);
}

/**
 * Mounts all panels that the page has an element for.
 *
 * @param {ParentNode} page
 */
function mountPanels(page) {
  for (const [name, mount] of panels) {
    const root = page.querySelector(`[data-panel="${name}"]`);
    if (root instanceof HTMLElement) mount(root);
  }
}

module.exports = { mountPanels, registerPanel };
