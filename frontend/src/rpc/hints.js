// @ts-check
"use strict";

/** Says in plain words what a failed call usually means. What belongs here: advice; the facts are in the status. */

/** @type {Readonly<Record<string, string>>} */
const HINTS = Object.freeze({
  CANCELLED: "The server ended the call as cancelled, without this page asking for it.",
  UNKNOWN: "The server failed without saying how. Its log has the traceback.",
  INVALID_ARGUMENT: "The request was understood and refused: a field has a value that the method does not take.",
  DEADLINE_EXCEEDED: "The call took longer than its deadline. Give it more time, or ask for less.",
  NOT_FOUND: "What the request names does not exist.",
  ALREADY_EXISTS: "What the request would create exists already.",
  PERMISSION_DENIED: "The caller is known, and is not allowed to do this.",
  RESOURCE_EXHAUSTED: "A limit was reached: a quota, or the size of a message.",
  FAILED_PRECONDITION: "The state of things does not allow it now. Repeating the call will not help.",
  ABORTED: "Another change came in between. The whole operation may be tried again.",
  OUT_OF_RANGE: "The request goes past the end of what there is.",
  UNIMPLEMENTED: "The server does not have this method. Is the service registered, and the server up to date?",
  INTERNAL: "The server failed in a way it should not. Its log has the traceback.",
  UNAVAILABLE: "The server cannot answer right now. The same call may succeed later.",
  DATA_LOSS: "Data was lost or is damaged for good.",
  UNAUTHENTICATED: "The server does not know who is calling. Log in first.",
});

const NOT_REACHED =
  "No whole answer came from the server. Is it running? grpc-web reports a failed connection as UNKNOWN.";
const BROKEN_OFF =
  "The connection ended before the server sent a status. What is listed did arrive; more may have been sent.";

/**
 * Gives a sentence for whoever reads this outcome; empty where there is nothing to explain.
 *
 * @param {import("./status.js").Outcome} outcome
 * @param {number} messageCount How many messages had arrived.
 */
function hintFor(outcome, messageCount) {
  if (outcome.code === 0 || outcome.origin === "client") return "";
  if (outcome.origin === "connection") return messageCount > 0 ? BROKEN_OFF : NOT_REACHED;
  return HINTS[outcome.codeName] ?? "gRPC does not define this code.";
}

module.exports = { hintFor };
