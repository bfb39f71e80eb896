// @ts-check
"use strict";

/** Finding and making elements. What belongs here: what is typed once so that it need not be checked everywhere. */

/**
 * Finds the one element that a module cannot do without. Throws when the template does not have it.
 *
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
function find(root, selector, type) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} ${selector}`);
  return element;
}

/**
 * Finds an element by its data-testid.
 *
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} id
 * @param {new () => T} type
 */
function byTestId(root, id, type) {
  return find(root, `[data-testid="${id}"]`, type);
}

/**
 * Makes an element with text.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} text
 */
function textElement(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

/**
 * Makes an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} [attributes]
 */
function svgElement(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * Sets text only where it differs, so that a view can be drawn in every frame.
 *
 * @param {Element} element
 * @param {string} text
 */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes a button do nothing without taking the focus away from it, as the `disabled` attribute would.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} enabled
 */
function setEnabled(button, enabled) {
  button.setAttribute("aria-disabled", String(!enabled));
}

module.exports = { byTestId, find, setEnabled, setText, svgElement, textElement };
