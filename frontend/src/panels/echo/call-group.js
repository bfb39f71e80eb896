// @ts-check
"use strict";

/** A group of controls that has at most one call at a time, and shows the newest. */

const { setEnabled } = require("../../view/dom.js");
const { CallRecord } = require("../../view/call-record.js");

/** @typedef {import("../../rpc/call.js").Call} Call */
/** @typedef {import("../../view/call-record.js").CallPlan} CallPlan */

/**
 * @typedef {object} GroupView
 * @property {(record: CallRecord) => void} begin A call is about to start.
 * @property {(record: CallRecord, now: number) => void} render Called for each frame while a call runs.
 * @property {(record: CallRecord) => void} finish The call has ended, and was rendered for the last time.
 */

/** Starts, shows and cancels calls. Starting one cancels the one that runs. */
class CallGroup {
  /**
   * @param {GroupView} view
   * @param {HTMLButtonElement} cancelButton
   */
  constructor(view, cancelButton) {
    this.view = view;
    this.cancelButton = cancelButton;
    /** @type {{ call: Call, record: CallRecord } | null} */
    this.running = null;
    cancelButton.addEventListener("click", () => this.cancel());
  }

  get isRunning() {
    return this.running !== null;
  }

  /**
   * @template M
   * @param {CallPlan} plan
   * @param {(observer: import("../../rpc/call.js").CallObserver<M>) => Call} start
   * @param {(message: M, record: CallRecord, now: number) => string} textOf What to show of a message.
   */
  start(plan, start, textOf) {
    this.cancel();
    const record = new CallRecord(plan, performance.now());
    this.view.begin(record);
    const call = start({
      onMessage: (message) => {
        const now = performance.now();
        record.receive(textOf(message, record, now), now);
      },
      onEnd: (outcome) => this.finish(record, outcome),
    });
    this.running = { call, record };
    setEnabled(this.cancelButton, true);
    this.renderWhileRunning(record);
  }

  /** Cancels the RPC that runs, if one does. */
  cancel() {
    this.running?.call.cancel();
  }

  /**
   * @param {CallRecord} record
   * @param {import("../../rpc/status.js").Outcome} outcome
   */
  finish(record, outcome) {
    const now = performance.now();
    record.end(outcome, now);
    this.running = null;
    setEnabled(this.cancelButton, false);
    this.view.render(record, now);
    this.view.finish(record);
  }

  /** @param {CallRecord} record */
  renderWhileRunning(record) {
    if (!record.isRunning) return;
    this.view.render(record, performance.now());
    requestAnimationFrame(() => this.renderWhileRunning(record));
  }
}

module.exports = { CallGroup };
