// @ts-check
"use strict";

/**
 * The caller's API tokens: the words for what is known of one, and the form for a new one. Only what no message could
 * carry is checked here; the rules are the server's, which names the field.
 */

const { dateOf, formatDay, formatDayAndTime } = require("../view/format.js");
const { readInteger } = require("../view/integer.js");

/** @typedef {import("../rpc/users.js").Token} Token */

/** The fields of the form. */
const TOKEN_FIELDS = Object.freeze(["name", "days"]);

/** What the server calls them. */
const REQUEST_FIELDS = Object.freeze({ name: "name", lifetime_days: "days" });

const INT32_MAX = 2 ** 31 - 1;

/** @param {Token} token */
function tokenWords(token) {
  return {
    name: token.name,
    prefix: `${token.prefix}…`,
    created: formatDay(dateOf(token.createdAt)),
    expires: formatDay(dateOf(token.expiresAt)),
    used: token.lastUsedAt ? formatDayAndTime(dateOf(token.lastUsedAt)) : "never",
  };
}

/**
 * Gives what to send, or what is wrong.
 *
 * @param {{ name: string, days: string }} draft As it was typed.
 */
function readTokenDraft({ name, days }) {
  const lifetime = readInteger(days, { min: 1, max: INT32_MAX });
  const errors = lifetime.error ? [{ field: "days", description: "A whole number, 1 or more" }] : [];
  return { values: { name: name.trim(), lifetimeDays: lifetime.value ?? 0 }, errors };
}

/**
 * Gives the field of the form that a field of the request is about. Others stay as they are.
 *
 * @param {string} path
 */
function tokenFieldOf(path) {
  return /** @type {Record<string, string>} */ (REQUEST_FIELDS)[path] ?? path;
}

module.exports = { TOKEN_FIELDS, readTokenDraft, tokenFieldOf, tokenWords };
