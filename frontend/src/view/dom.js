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

/**
 * Whether a button does anything.
 *
 * @param {HTMLButtonElement} button
 */
function isEnabled(button) {
  return button.getAttribute("aria-disabled") !== "true";
}

/**
 * Says on a button that its call runs. It keeps its width as far as its texts allow, and its focus.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} pending
 * @param {string} text What it says now.
 */
function setPending(button, pending, text) {
  setEnabled(button, !pending);
  button.toggleAttribute("data-pending", pending);
  setText(button, text);
}

/**
 * Makes a button.
 *
 * @param {string} text
 * @param {{ label?: string, testId: string, className?: string }} options `label` is its name where the text alone does
 *   not say enough.
 * @param {(button: HTMLButtonElement) => void} press Called only while the button is enabled.
 */
function buttonElement(text, { label, testId, className = "" }, press) {
  const button = textElement("button", text);
  button.type = "button";
  button.className = className;
  button.dataset.testid = testId;
  if (label) button.setAttribute("aria-label", label);
  button.addEventListener("click", () => {
    if (isEnabled(button)) press(button);
  });
  return button;
}

module.exports = {
  buttonElement,
  byTestId,
  find,
  isEnabled,
  setEnabled,
  setPending,
  setText,
  svgElement,
  textElement,
};
