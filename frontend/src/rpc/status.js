// @ts-check
"use strict";

/** The status codes of gRPC. What belongs here: facts about a status, in words that need no page. */

/** Names of the codes; the index is the number. */
const CODE_NAMES = Object.freeze([
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
]);

const OK = 0;
const CANCELLED = 1;
const UNKNOWN = 2;

/**
 * Gives the name of a status code, also of one that gRPC does not define.
 *
 * @param {number} code
 */
function codeName(code) {
  return CODE_NAMES[code] ?? `CODE_${code}`;
}

/**
 * How a call ended.
 *
 * @typedef {object} Outcome
 * @property {number} code Status code; 0 is OK.
 * @property {string} codeName
 * @property {string} message Status message; may be empty.
 * @property {import("./error-details.js").ErrorDetail[]} details What the servicer says beyond that; may be empty.
 * @property {[name: string, value: string][]} trailers Trailing metadata, without the status itself.
 * @property {"server" | "client" | "connection"} origin Who decided: the server's status, this client (cancelled here),
 *   or nobody, because the answer did not arrive whole.
 */

module.exports = { CANCELLED, CODE_NAMES, OK, UNKNOWN, codeName };
