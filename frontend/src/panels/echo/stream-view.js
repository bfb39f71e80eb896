// @ts-check
"use strict";

/** The readout of the streaming calls: timeline, rhythm, messages, and what all calls show. */

const { CallView } = require("../../view/call-view.js");
const { byTestId, find, setText } = require("../../view/dom.js");
const { formatMs, plural } = require("../../view/format.js");
const { MessageList } = require("../../view/message-list.js");
const { rhythmOf } = require("../../view/timeline.js");
const { TimelineView } = require("../../view/timeline-view.js");

/** @typedef {import("../../view/call-record.js").CallRecord} CallRecord */

/** How often a screen reader is told that more has arrived. */
const ANNOUNCE_EVERY_MS = 3000;

const WAITING = {
  text: "Waiting for the first message.",
  binary: "Waiting. In binary, the messages are handed over when the stream has ended.",
};
const NOTHING = "The stream ended without a message.";

/** @param {number | null} ms */
const timeOrDash = (ms) => (ms === null ? "–" : formatMs(ms));

/** Shows a stream while it runs. */
class StreamView extends CallView {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root, "stream");
    this.received = byTestId(root, "stream-received", HTMLElement);
    this.timeline = new TimelineView(byTestId(root, "stream-timeline", SVGElement));
    this.list = new MessageList(find(root, ".messages", HTMLElement), byTestId(root, "stream-messages", HTMLElement));
    this.first = find(root, "[data-rhythm=first]", HTMLElement);
    this.median = find(root, "[data-rhythm=median]", HTMLElement);
    this.longest = find(root, "[data-rhythm=longest]", HTMLElement);
    /** @type {import("../../rpc/echo.js").WireFormat} The format of the newest call. */
    this.format = "text";
    this.announcedAt = 0;
  }

  /** @param {CallRecord} record */
  begin(record) {
    this.list.clear();
    this.announcedAt = record.startedAt;
    this.announce(`${record.plan.method} started`);
  }

  /**
   * @param {CallRecord} record
   * @param {number} now
   */
  render(record, now) {
    super.render(record, now);
    this.renderCount(record);
    this.timeline.render(record, now);
    const { firstMs, medianGapMs, longestGapMs } = rhythmOf(record.arrivals);
    setText(this.first, timeOrDash(firstMs));
    setText(this.median, timeOrDash(medianGapMs));
    setText(this.longest, timeOrDash(longestGapMs));
    this.list.render(record.rows, record.isRunning ? WAITING[this.format] : NOTHING);
    if (record.state === "streaming" && now - this.announcedAt > ANNOUNCE_EVERY_MS) {
      this.announcedAt = now;
      this.announce(`${plural(record.arrivals.length, "message")} so far`);
    }
  }

  /** @param {CallRecord} record */
  renderCount(record) {
    const count = record.arrivals.length;
    const kept = record.rows.length;
    this.received.dataset.count = String(count);
    setText(this.received, plural(count, "message") + (kept < count ? `, the last ${kept} listed` : ""));
  }

  /** @param {CallRecord} record */
  finish(record) {
    const { codeName = "", message = "" } = record.outcome ?? {};
    const count = plural(record.arrivals.length, "message");
    this.announce(`${record.plan.method} ${record.state} after ${count}: ${codeName}. ${message}`);
  }
}

module.exports = { StreamView };
