// @ts-check
"use strict";

/** Numbers as the page shows them. */

/**
 * Writes a time span in the unit that fits it.
 *
 * @param {number} ms Milliseconds, not negative.
 */
function formatMs(ms) {
  if (ms < 99.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** @param {number} count */
function formatCount(count) {
  return count.toLocaleString("en-US");
}

/**
 * Writes a number of things.
 *
 * @param {number} count
 * @param {string} noun The word for one of them.
 */
function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

module.exports = { formatCount, formatMs, plural };
