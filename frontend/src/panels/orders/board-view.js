// @ts-check
"use strict";

/** The board: a column for each status, and in it the cards of the newest orders. */

const { STATUSES } = require("../../orders/board.js");
const { setText, textElement } = require("../../view/dom.js");
const { Card } = require("./card.js");
const { glide } = require("./motion.js");

/** @typedef {import("../../orders/board.js").Board} Board */

/** How many cards a column shows. The others are counted. */
const CARDS_SHOWN = 5;

/** Draws a `Board` as often as it changes, at most once for each frame. */
class BoardView {
  /**
   * @param {HTMLElement} root
   * @param {Board} board
   * @param {import("./card.js").CardActions} actions
   */
  constructor(root, board, actions) {
    this.root = root;
    this.board = board;
    this.actions = actions;
    /** @type {Map<string, Card>} By the id of the order. */
    this.cards = new Map();
    this.columns = STATUSES.map(columnOf);
    this.root.replaceChildren(...this.columns.map(({ element }) => element));
    this.isScheduled = false;
    /** Whether new cards are news, and not what was there before the page was opened. */
    this.isLoaded = false;
  }

  /** Draws soon. */
  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      this.render();
    });
  }

  render() {
    const focused = document.activeElement?.closest("[data-order-id]");
    glide(
      () => [...this.cards.values()].map(({ element }) => element).filter((element) => element.isConnected),
      () => this.place(),
    );
    this.isLoaded = true;
    if (focused instanceof HTMLElement && !focused.contains(document.activeElement)) {
      const target = focused.querySelector("button") ?? focused;
      if (focused.isConnected) target.focus({ preventScroll: true });
    }
  }

  /** Puts each card where its order stands. */
  place() {
    const shown = new Set();
    for (const { status, list, count, more, empty } of this.columns) {
      const orders = this.board.column(status.status);
      const cards = orders.slice(0, CARDS_SHOWN).map((order) => this.card(order));
      cards.forEach(({ order }) => shown.add(order.id));
      putChildren(
        list,
        cards.map(({ element }) => element),
      );
      list.dataset.count = String(orders.length);
      setText(count, this.board.count(status.status));
      setText(more, moreText(orders.length - cards.length, this.board.incomplete.has(status.status)));
      more.hidden = more.textContent === "";
      empty.hidden = orders.length > 0;
    }
    for (const id of this.cards.keys()) {
      if (!shown.has(id)) this.cards.delete(id);
    }
  }

  /** @param {import("../../rpc/orders.js").Order} order */
  card(order) {
    const known = this.cards.get(order.id);
    if (known) {
      known.update(order);
      return known;
    }
    const card = new Card(order, this.actions);
    if (this.isLoaded) card.markFresh();
    this.cards.set(order.id, card);
    return card;
  }
}

/**
 * @param {number} hidden How many orders are known and not shown.
 * @param {boolean} hasOlder Whether there are older ones, which are not known here.
 */
function moreText(hidden, hasOlder) {
  if (hasOlder) return hidden > 0 ? `and ${hidden} more, and older ones` : "and older ones";
  return hidden > 0 ? `and ${hidden} more` : "";
}

/** @param {import("../../orders/board.js").Status} status */
function columnOf(status) {
  const element = document.createElement("section");
  element.className = "column";
  element.dataset.status = status.id;
  const heading = textElement("h4", `${status.name} `);
  heading.id = `column-${status.id}-heading`;
  const count = textElement("span", "–");
  count.className = "column-count";
  heading.append(count);
  element.setAttribute("aria-labelledby", heading.id);
  const list = document.createElement("ul");
  list.dataset.testid = `column-${status.id}`;
  list.dataset.count = "0";
  const empty = textElement("p", "No orders");
  empty.className = "column-note";
  empty.hidden = true;
  const more = textElement("p", "");
  more.className = "column-note";
  more.hidden = true;
  element.append(heading, list, empty, more);
  return { status, element, list, count, more, empty };
}

/**
 * Makes these the children, and touches only those that stand elsewhere.
 *
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} children
 */
function putChildren(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) {
    if (child instanceof HTMLElement && !wanted.has(child)) child.remove();
  }
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
}

module.exports = { BoardView, CARDS_SHOWN };
