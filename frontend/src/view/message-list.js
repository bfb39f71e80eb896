// @ts-check
"use strict";

/** The list of a stream's messages. It follows the newest one as long as the reader has not scrolled away from it. */

const { setText, textElement } = require("./dom.js");

/** @typedef {import("./call-record.js").Row} Row */

const NEAR_END_PX = 24;

/** Keeps as many rows in the page as the record keeps. */
class MessageList {
  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} body The `tbody` for the rows.
   */
  constructor(scroller, body) {
    this.scroller = scroller;
    this.body = body;
    this.table = /** @type {HTMLElement} */ (body.closest("table"));
    this.empty = /** @type {HTMLElement} */ (scroller.querySelector(".readout-empty"));
    this.lastNumber = 0;
  }

  /** Forgets the messages of an earlier call. */
  clear() {
    this.lastNumber = 0;
    this.body.replaceChildren();
    this.table.hidden = true;
  }

  /**
   * Adds the rows that are new and drops those that are kept no longer.
   *
   * @param {readonly Row[]} rows
   * @param {string} textIfEmpty What to say when there are none.
   */
  render(rows, textIfEmpty) {
    this.empty.hidden = rows.length > 0;
    setText(this.empty, textIfEmpty);
    const added = rows.filter((row) => row.number > this.lastNumber);
    const newest = added.at(-1);
    if (!newest) return;
    this.table.hidden = false;
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    this.body.append(...added.map(messageRow));
    while (this.body.childElementCount > rows.length) this.body.firstElementChild?.remove();
    this.lastNumber = newest.number;
    if (atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}

/** @param {Row} row */
function messageRow(row) {
  const element = document.createElement("tr");
  element.dataset.sequence = String(row.number);
  element.dataset.arrivalMs = row.arrivalMs.toFixed(1);
  element.append(
    textElement("td", String(row.number)),
    textElement("td", row.arrivalMs.toFixed(1)),
    textElement("td", `+${row.gapMs.toFixed(1)}`),
    textElement("td", row.text),
  );
  return element;
}

module.exports = { MessageList };
