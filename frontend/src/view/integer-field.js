// @ts-check
"use strict";

/** A field for a whole number: its limits are in the markup, its error stands below it. */

const { readInteger } = require("./integer.js");
const { find } = require("./dom.js");

/**
 * Checks when it is asked to, and again while a person corrects what was wrong. Not when the field is left: the error
 * would move the button away that is being pressed, and the click would be lost.
 */
class IntegerField {
  /** @param {HTMLInputElement} input With `min` and `max`, and an element `<id>-error` for what is wrong. */
  constructor(input) {
    this.input = input;
    this.error = find(document, `#${input.id}-error`, HTMLElement);
    input.addEventListener("input", () => {
      if (!this.error.hidden) this.read();
    });
  }

  /**
   * Gives the number, null for an empty field that may be empty, or undefined when the field now shows an error.
   *
   * @returns {number | null | undefined}
   */
  read() {
    const { input } = this;
    const limits = { min: Number(input.min), max: Number(input.max), optional: !input.required };
    // What is no number at all is hidden by the browser: the value is then empty.
    const { value, error } = readInteger(input.validity.badInput ? "?" : input.value, limits);
    this.error.textContent = error;
    this.error.hidden = error === "";
    input.setAttribute("aria-invalid", String(error !== ""));
    if (error) input.setAttribute("aria-describedby", this.error.id);
    else input.removeAttribute("aria-describedby");
    return error ? undefined : value;
  }
}

/**
 * Reads several fields. Gives their numbers, or null after it has put the focus on the first one that is wrong.
 *
 * @template {string} K
 * @param {Record<K, IntegerField>} fields
 * @returns {Record<K, number | null> | null}
 */
function readFields(fields) {
  const entries = /** @type {[K, IntegerField][]} */ (Object.entries(fields));
  const values = entries.map(([name, field]) => /** @type {const} */ ([name, field.read()]));
  const wrong = values.findIndex(([, value]) => value === undefined);
  if (wrong >= 0) {
    entries[wrong]?.[1].input.focus();
    return null;
  }
  return /** @type {Record<K, number | null>} */ (Object.fromEntries(values));
}

module.exports = { IntegerField, readFields };
