// @ts-check
"use strict";

/** What is wrong with the fields of a form, at the fields: in the element `<id>-error` below the control `<id>`. */

const { find } = require("./dom.js");

/** The errors of one form. Its fields have the ids `<prefix>-<name>`. */
class FieldErrors {
  /**
   * @param {HTMLElement} form
   * @param {string} prefix
   * @param {readonly string[]} names
   */
  constructor(form, prefix, names) {
    this.fields = new Map(
      names.map((name) => {
        const control = find(form, `#${prefix}-${name}`, HTMLElement);
        const error = find(form, `#${prefix}-${name}-error`, HTMLElement);
        return [name, { control, error }];
      }),
    );
  }

  /**
   * Shows these errors and no others. Puts the focus on the first field that has one, and gives what is about none.
   *
   * @param {{ field: string, description: string }[]} errors
   * @returns {string[]}
   */
  show(errors) {
    for (const [name, { control, error }] of this.fields) {
      const text = errors
        .filter(({ field }) => field === name)
        .map(({ description }) => description)
        .join(" ");
      error.textContent = text;
      error.hidden = text === "";
      if (text) control.setAttribute("aria-describedby", error.id);
      else control.removeAttribute("aria-describedby");
      if (control instanceof HTMLInputElement || control instanceof HTMLSelectElement) {
        control.setAttribute("aria-invalid", String(text !== ""));
      }
    }
    const wrong = [...this.fields.values()].find(({ error }) => !error.hidden);
    if (wrong) focusIn(wrong.control);
    return errors.filter(({ field }) => !this.fields.has(field)).map(({ description }) => description);
  }
}

/** @param {HTMLElement} control A control, or a group of them. */
function focusIn(control) {
  const target = control.matches("input, select") ? control : control.querySelector("input, select, button");
  if (target instanceof HTMLElement) target.focus();
}

module.exports = { FieldErrors };
