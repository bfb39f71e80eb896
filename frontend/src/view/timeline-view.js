// @ts-check
"use strict";

/** Draws when messages arrived: a bar for each slice of time, higher where more than one arrived in it. */

const { svgElement } = require("./dom.js");
const { formatMs, plural } = require("./format.js");
const { axisSpan, countInSlices, markLabel, roundAxis } = require("./timeline.js");

/** @typedef {import("./call-record.js").CallRecord} CallRecord */

const HEIGHT = 92;
const BASELINE = 68;
const TOP = 8;
const LINE_TOP = 2;
const EDGE = 2;
const SLICE_PX = 5;
const MARK_PX = 88;
const DEADLINE_LABEL_PX = 64;
/** Part of the height that a bar has when no slice holds more than one message. */
const SINGLE = 0.62;
const LOWEST = 0.2;

/** A time axis in an `svg` element that fits its width. */
class TimelineView {
  /** @param {SVGElement} svg */
  constructor(svg) {
    this.svg = svg;
    this.axis = svgElement("g", { class: "timeline-axis" });
    this.baseline = svgElement("path", { class: "timeline-baseline" });
    this.deadline = svgElement("path", { class: "timeline-deadline" });
    this.deadlineLabel = svgElement("text", { class: "timeline-deadline-label", y: TOP + 3, display: "none" });
    this.deadlineLabel.textContent = "deadline";
    this.bars = svgElement("path", { class: "timeline-bars" });
    this.head = svgElement("path", { class: "timeline-head" });
    svg.append(this.axis, this.baseline, this.deadline, this.deadlineLabel, this.bars, this.head);
    this.width = 0;
    this.drawnAxis = "";
    this.previewMs = 0;
    /** @type {{ record: CallRecord, now: number } | null} */
    this.last = null;
    new ResizeObserver(() => this.resize()).observe(svg);
    this.resize();
  }

  resize() {
    this.width = Math.max(120, Math.round(this.svg.getBoundingClientRect().width));
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.baseline.setAttribute("d", `M0 ${BASELINE + 0.5}H${this.width}`);
    if (this.last) this.render(this.last.record, this.last.now);
    else this.preview(this.previewMs);
  }

  /**
   * Shows the axis of a call that may follow, as long as there has been none.
   *
   * @param {number} plannedMs
   */
  preview(plannedMs) {
    this.previewMs = plannedMs;
    if (!this.last) this.drawAxis(this.axisFor(plannedMs, 0));
  }

  /**
   * @param {number} plannedMs
   * @param {number} elapsedMs
   */
  axisFor(plannedMs, elapsedMs) {
    return roundAxis(axisSpan(plannedMs, elapsedMs), Math.floor(this.width / MARK_PX));
  }

  /**
   * @param {CallRecord} record
   * @param {number} now
   */
  render(record, now) {
    this.last = { record, now };
    const elapsedMs = record.elapsedMs(now);
    const axis = this.axisFor(record.plan.plannedMs, elapsedMs);
    this.drawAxis(axis);
    this.drawBars(record.arrivals, axis.endMs);
    this.drawLine(this.head, elapsedMs, axis.endMs);
    this.drawDeadline(record.plan.deadlineMs ?? Infinity, axis.endMs);
    this.svg.dataset.count = String(record.arrivals.length);
    this.svg.dataset.endMs = String(axis.endMs);
    if (!record.isRunning) this.describe(record.arrivals.length, elapsedMs);
  }

  /**
   * @param {number} ms
   * @param {number} endMs
   */
  xOf(ms, endMs) {
    return EDGE + (ms / endMs) * (this.width - 2 * EDGE);
  }

  /** @param {import("./timeline.js").Axis} axis */
  drawAxis({ endMs, marks }) {
    const drawn = `${this.width} ${marks.join(" ")}`;
    if (drawn === this.drawnAxis) return;
    this.drawnAxis = drawn;
    this.axis.replaceChildren(
      ...marks.flatMap((ms, index) => {
        const x = Math.round(this.xOf(ms, endMs));
        const anchor = index === 0 ? "start" : index === marks.length - 1 ? "end" : "middle";
        const labelX = index === 0 ? 0 : index === marks.length - 1 ? this.width : x;
        const label = svgElement("text", { x: labelX, y: HEIGHT - 6, "text-anchor": anchor });
        label.textContent = markLabel(ms, endMs);
        return [svgElement("path", { d: `M${x + 0.5} ${TOP}V${BASELINE + 5}` }), label];
      }),
    );
  }

  /**
   * @param {readonly number[]} arrivals
   * @param {number} endMs
   */
  drawBars(arrivals, endMs) {
    const slices = Math.floor((this.width - 2 * EDGE) / SLICE_PX);
    const counts = countInSlices(arrivals, endMs, slices);
    const most = Math.max(...counts);
    const bars = counts.map((count, index) => {
      if (count === 0) return "";
      const part = most === 1 ? SINGLE : LOWEST + (1 - LOWEST) * (count / most);
      const x = this.xOf((index + 0.5) * (endMs / slices), endMs);
      return `M${x.toFixed(1)} ${BASELINE}V${(BASELINE - part * (BASELINE - TOP)).toFixed(1)}`;
    });
    this.bars.setAttribute("d", bars.join(""));
  }

  /**
   * @param {number} ms
   * @param {number} endMs
   */
  drawDeadline(ms, endMs) {
    this.drawLine(this.deadline, ms, endMs);
    const x = this.xOf(ms, endMs);
    const fitsAfter = x + DEADLINE_LABEL_PX < this.width;
    this.deadlineLabel.setAttribute("display", ms <= endMs ? "inline" : "none");
    this.deadlineLabel.setAttribute("x", ms <= endMs ? String(fitsAfter ? x + 6 : x - 6) : "0");
    this.deadlineLabel.setAttribute("text-anchor", fitsAfter ? "start" : "end");
  }

  /**
   * @param {SVGElement} line
   * @param {number} ms Beyond the end of the axis the line is not drawn.
   * @param {number} endMs
   */
  drawLine(line, ms, endMs) {
    const x = Math.round(this.xOf(ms, endMs)) - 0.5;
    line.setAttribute("d", ms <= endMs ? `M${x} ${LINE_TOP}V${BASELINE}` : "");
  }

  /**
   * @param {number} count
   * @param {number} elapsedMs
   */
  describe(count, elapsedMs) {
    this.svg.setAttribute("aria-label", `Timeline: ${plural(count, "message")} in ${formatMs(elapsedMs)}`);
  }
}

module.exports = { TimelineView };
