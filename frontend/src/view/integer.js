// @ts-check
"use strict";

/** What a person typed into a field for a whole number, and what to say when it is none. */

const { formatCount } = require("./format.js");

/**
 * @typedef {object} IntegerLimits
 * @property {number} min
 * @property {number} max
 * @property {boolean} [optional] Whether the field may be empty.
 */

/**
 * Reads a whole number. Gives either its value (null for an empty field that may be empty) or an error for the field.
 *
 * @param {string} text
 * @param {IntegerLimits} limits
 * @returns {{ value: number | null, error: "" } | { value: null, error: string }}
 */
function readInteger(text, { min, max, optional = false }) {
  const trimmed = text.trim();
  if (trimmed === "" && optional) return { value: null, error: "" };
  const value = Number(trimmed);
  if (/^[+-]?\d+$/.test(trimmed) && value >= min && value <= max) return { value, error: "" };
  return {
    value: null,
    error: `${optional ? "Empty, or" : "A whole number,"} ${formatCount(min)} to ${formatCount(max)}`,
  };
}

module.exports = { readInteger };
