// @ts-check
"use strict";

/**
 * Makes one `Outcome` of the many ways in which grpc-web says that a call has ended. What belongs here: everything that
 * depends on the shape or the wording of the library's errors.
 */

const { STATUS_DETAILS, errorDetails } = require("./error-details.js");
const { CANCELLED, OK, UNKNOWN, codeName } = require("./status.js");

/** @typedef {import("./status.js").Outcome} Outcome */

/**
 * What grpc-web hands over: an `RpcError`, a plain object like it, or a status with `details`.
 *
 * @typedef {object} LibraryStatus
 * @property {number} code
 * @property {string} [message]
 * @property {string} [details]
 * @property {Record<string, string>} [metadata]
 */

/**
 * These are the status or the HTTP answer, not the servicer's metadata: a status in the headers, as it comes through
 * Envoy, brings them along.
 */
const NOT_TRAILERS = new RegExp(
  "^(grpc-(status|message|status-details-bin|encoding|accept-encoding)|access-control-.*|" +
    "cache-control|content-type|content-length|date|server|vary|x-accel-buffering)$",
  "i",
);

/** What grpc-web says when there was no HTTP answer, and when a unary answer ended without a message or a status. */
const NO_WHOLE_ANSWER = /http status code: 0$|^Incomplete response$/;

/**
 * @param {Record<string, string> | undefined} metadata
 * @returns {[name: string, value: string][]}
 */
function trailersOf(metadata) {
  return Object.entries(metadata ?? {}).filter(([name]) => !NOT_TRAILERS.test(name));
}

/**
 * Gives the outcome that a status or an error of the library stands for.
 *
 * @param {LibraryStatus} status
 * @returns {Outcome}
 */
function outcomeOf(status) {
  const message = status.details ?? status.message ?? "";
  return {
    code: status.code,
    codeName: codeName(status.code),
    message,
    details: errorDetails(status.metadata?.[STATUS_DETAILS]),
    trailers: trailersOf(status.metadata),
    origin: status.code !== OK && NO_WHOLE_ANSWER.test(message) ? "connection" : "server",
  };
}

/**
 * Gives the outcome of an answer that ended without a status. grpc-web calls that a plain end, but the server has never
 * said that all is well.
 *
 * @returns {Outcome}
 */
function endedWithoutStatus() {
  const message = "The answer ended without a status";
  return { code: UNKNOWN, codeName: codeName(UNKNOWN), message, details: [], trailers: [], origin: "connection" };
}

/**
 * Gives the outcome of a call that was cancelled in this page.
 *
 * @returns {Outcome}
 */
function cancelledHere() {
  const message = "Cancelled by this page";
  return { code: CANCELLED, codeName: codeName(CANCELLED), message, details: [], trailers: [], origin: "client" };
}

/** By this trailer a server says when to call again: https://github.com/grpc/proposal/blob/master/A6-client-retries.md */
const PUSHBACK = "grpc-retry-pushback-ms";

/**
 * Gives after how many milliseconds the server would like to be called again, null where it has not said so.
 *
 * @param {Outcome} outcome
 * @returns {number | null}
 */
function pushbackMs({ trailers }) {
  const value = trailers.find(([name]) => name.toLowerCase() === PUSHBACK)?.[1] ?? "";
  return /^\d{1,9}$/.test(value) ? Number(value) : null;
}

module.exports = { cancelledHere, endedWithoutStatus, outcomeOf, pushbackMs };
