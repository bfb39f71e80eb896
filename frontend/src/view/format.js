// @ts-check
"use strict";

/** Numbers and times as the page shows them. */

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

/**
 * Gives the moment that a Timestamp stands for.
 *
 * @param {{ seconds: bigint, nanos: number } | undefined} timestamp
 * @returns {Date | null} Null where there is none.
 */
function dateOf(timestamp) {
  return timestamp ? new Date(Number(timestamp.seconds) * 1000 + Math.floor(timestamp.nanos / 1e6)) : null;
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const DAY_AND_TIME = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

/** @param {Date | null} date */
function formatDay(date) {
  return date ? DAY.format(date) : "–";
}

/** @param {Date | null} date */
function formatDayAndTime(date) {
  return date ? DAY_AND_TIME.format(date) : "–";
}

module.exports = { dateOf, formatCount, formatDay, formatDayAndTime, formatMs, plural };
