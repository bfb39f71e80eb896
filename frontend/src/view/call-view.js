// @ts-check
"use strict";

/** Shows what all calls have in common: state, method, way, time, and how it ended. */

const { hintFor } = require("../rpc/hints.js");
const { PATH_LABELS } = require("../rpc/path.js");
const { byTestId, find, setText, textElement } = require("./dom.js");
const { formatMs } = require("./format.js");

/** @typedef {import("./call-record.js").CallRecord} CallRecord */

/** The head and the outcome of a readout. Which elements it needs is written in the template of the panel. */
class CallView {
  /**
   * @param {HTMLElement} root
   * @param {string} group What the test ids begin with.
   */
  constructor(root, group) {
    /** @param {string} name */
    const part = (name) => byTestId(root, `${group}-${name}`, HTMLElement);
    this.readout = find(root, ".readout", HTMLElement);
    this.state = part("call-state");
    this.method = part("method");
    this.path = part("path");
    this.elapsed = part("elapsed");
    this.announcement = part("announcement");
    this.outcome = find(root, ".outcome", HTMLElement);
    this.statusCode = part("status-code");
    this.statusMessage = part("status-message");
    this.hint = part("hint");
    this.details = part("details");
    this.trailers = part("trailers");
    this.trailersTable = find(root, ".trailers", HTMLElement);
    this.noTrailers = find(root, ".no-trailers", HTMLElement);
  }

  /**
   * @param {CallRecord} record
   * @param {number} now
   */
  render(record, now) {
    const elapsedMs = record.elapsedMs(now);
    this.readout.dataset.state = record.state;
    this.state.dataset.state = record.state;
    setText(this.state, record.state);
    setText(this.method, record.plan.method);
    setText(this.path, PATH_LABELS[record.plan.path]);
    this.path.dataset.path = record.plan.path;
    setText(this.elapsed, formatMs(elapsedMs));
    this.elapsed.dataset.ms = elapsedMs.toFixed(1);
    this.outcome.hidden = record.isRunning;
    if (record.outcome) this.renderOutcome(record.outcome, record.arrivals.length);
  }

  /**
   * @param {import("../rpc/status.js").Outcome} outcome
   * @param {number} messageCount
   */
  renderOutcome(outcome, messageCount) {
    this.statusCode.dataset.code = String(outcome.code);
    this.statusCode.replaceChildren(textElement("span", String(outcome.code)), ` ${outcome.codeName}`);
    this.statusMessage.textContent = outcome.message;
    this.hint.textContent = hintFor(outcome, messageCount);
    this.details.replaceChildren(...outcome.details.map(detailRow));
    find(this.outcome, ".details", HTMLElement).hidden = outcome.details.length === 0;
    this.trailers.replaceChildren(...outcome.trailers.map(trailerRow));
    this.trailersTable.hidden = outcome.trailers.length === 0;
    this.noTrailers.hidden = outcome.trailers.length > 0;
  }

  /**
   * Tells a screen reader. A number that runs is not told: it would never stop talking.
   *
   * @param {string} text
   */
  announce(text) {
    this.announcement.textContent = text;
  }
}

/** @param {import("../rpc/error-details.js").ErrorDetail} detail */
function detailRow({ typeName, json }) {
  return tableRow(typeName, json || "of a type that this page does not know");
}

/** @param {[name: string, value: string]} trailer */
function trailerRow([name, value]) {
  return tableRow(name, value);
}

/**
 * @param {string} name
 * @param {string} value
 */
function tableRow(name, value) {
  const row = document.createElement("tr");
  const heading = textElement("th", name);
  heading.scope = "row";
  row.append(heading, textElement("td", value));
  return row;
}

module.exports = { CallView };
