// @ts-check
"use strict";

/**
 * What is known about one call while it runs and afterwards. What belongs here: the state and its bounds; what a view
 * shows of it is the view's business.
 */

/** How many messages are kept for reading. Of the others only the time of arrival is kept. */
const ROW_LIMIT = 200;

/** @typedef {"waiting" | "streaming" | "done" | "cancelled" | "failed"} CallState */

/**
 * A message as it is listed.
 *
 * @typedef {object} Row
 * @property {number} number From 1.
 * @property {number} arrivalMs Since the call began.
 * @property {number} gapMs Since the message before it, or since the call began.
 * @property {string} text
 */

/**
 * @typedef {object} CallPlan
 * @property {string} method Name of the method.
 * @property {import("../rpc/path.js").PathName} path Which way it takes.
 * @property {boolean} streaming Whether the method may answer with more than one message.
 * @property {number} plannedMs How long it takes if all goes as asked; 0 if nobody knows.
 * @property {number | null} deadlineMs
 */

/** One call. All times given to it are those of one clock, in milliseconds. */
class CallRecord {
  /**
   * @param {CallPlan} plan
   * @param {number} startedAt
   * @param {number} [rowLimit] How many rows are kept.
   */
  constructor(plan, startedAt, rowLimit = ROW_LIMIT) {
    this.plan = plan;
    this.startedAt = startedAt;
    this.rowLimit = rowLimit;
    /** @type {number | null} */
    this.endedAt = null;
    /** @type {import("../rpc/status.js").Outcome | null} */
    this.outcome = null;
    /** @type {number[]} Times of all messages, since the call began. */
    this.arrivals = [];
    /** @type {Row[]} The last messages. */
    this.rows = [];
  }

  /**
   * Notes a message.
   *
   * @param {string} text
   * @param {number} now
   */
  receive(text, now) {
    const arrivalMs = now - this.startedAt;
    const gapMs = arrivalMs - (this.arrivals.at(-1) ?? 0);
    this.arrivals.push(arrivalMs);
    this.rows.push({ number: this.arrivals.length, arrivalMs, gapMs, text });
    if (this.rows.length > this.rowLimit) this.rows.shift();
  }

  /**
   * Notes the end.
   *
   * @param {import("../rpc/status.js").Outcome} outcome
   * @param {number} now
   */
  end(outcome, now) {
    this.outcome = outcome;
    this.endedAt = now;
  }

  /** @returns {CallState} */
  get state() {
    if (this.outcome) {
      if (this.outcome.origin === "client") return "cancelled";
      return this.outcome.code === 0 ? "done" : "failed";
    }
    return this.plan.streaming && this.arrivals.length > 0 ? "streaming" : "waiting";
  }

  get isRunning() {
    return this.outcome === null;
  }

  /**
   * How long the call took, or has taken so far.
   *
   * @param {number} now
   */
  elapsedMs(now) {
    return (this.endedAt ?? now) - this.startedAt;
  }
}

module.exports = { CallRecord, ROW_LIMIT };
