// @ts-check
"use strict";

/**
 * One call, unary or streaming, seen the same way: messages, then exactly one outcome. What belongs here: how grpc-web's
 * callbacks and events become that. Everything above this folder knows calls only in this form.
 */

const { cancelledHere, endedWithoutStatus, outcomeOf } = require("./outcome.js");

/** @typedef {import("./status.js").Outcome} Outcome */
/** @typedef {import("./outcome.js").LibraryStatus} LibraryStatus */

/**
 * Who follows a call.
 *
 * @template M
 * @typedef {object} CallObserver
 * @property {(message: M) => void} onMessage Once for each message of the server.
 * @property {(outcome: Outcome) => void} onEnd Exactly once, after the last message; also after `cancel`.
 */

/**
 * A call that has been started.
 *
 * @typedef {object} Call
 * @property {() => void} cancel Cancels the RPC and ends the call at once. Does nothing when it has ended.
 */

/**
 * Makes the metadata that asks grpc-web for a deadline.
 *
 * @param {number | null} deadlineMs Milliseconds from now that the call may take; null for no deadline.
 * @param {number} [now] Milliseconds since the epoch.
 * @returns {Record<string, string>}
 */
function deadlineMetadata(deadlineMs, now = Date.now()) {
  return deadlineMs === null ? {} : { deadline: String(now + deadlineMs) };
}

/**
 * Passes on what happens until the end, and nothing after it.
 *
 * @template M
 * @param {CallObserver<M>} observer
 */
function untilEnd(observer) {
  let ended = false;
  return {
    isOver: () => ended,
    /** @param {M} message */
    message(message) {
      if (!ended) observer.onMessage(message);
    },
    /** @param {Outcome} outcome */
    end(outcome) {
      if (ended) return;
      ended = true;
      observer.onEnd(outcome);
    },
  };
}

/**
 * @template M
 * @param {ReturnType<typeof untilEnd<M>>} progress
 * @param {{ cancel(): void }} stream
 * @returns {Call}
 */
function cancellable(progress, stream) {
  return {
    cancel() {
      if (progress.isOver()) return;
      stream.cancel();
      progress.end(cancelledHere());
    },
  };
}

/**
 * Starts a unary call.
 *
 * @template M
 * @param {(callback: (error: LibraryStatus | null, response: M | null) => void) =>
 *   import("grpc-web").ClientReadableStream<M>} open Calls the method of a client with this callback.
 * @param {CallObserver<M>} observer
 * @returns {Call}
 */
function startUnary(open, observer) {
  const progress = untilEnd(observer);
  /** @type {LibraryStatus | undefined} */
  let status;
  const stream = open((error, response) => {
    if (error) {
      progress.end(outcomeOf(error));
      return;
    }
    progress.message(/** @type {M} */ (response));
    progress.end(status ? outcomeOf(status) : endedWithoutStatus());
  });
  stream.on("status", (received) => (status = received));
  return cancellable(progress, stream);
}

/**
 * Starts a server streaming call.
 *
 * @template M
 * @param {() => import("grpc-web").ClientReadableStream<M>} open Calls the method of a client.
 * @param {CallObserver<M>} observer
 * @returns {Call}
 */
function startStream(open, observer) {
  const progress = untilEnd(observer);
  /** @type {LibraryStatus | undefined} */
  let status;
  const stream = open();
  stream.on("data", (message) => progress.message(message));
  stream.on("error", (error) => progress.end(outcomeOf(error)));
  stream.on("status", (received) => (status = received));
  stream.on("end", () => progress.end(status ? outcomeOf(status) : endedWithoutStatus()));
  return cancellable(progress, stream);
}

module.exports = { deadlineMetadata, startStream, startUnary };
