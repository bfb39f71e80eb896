// @ts-check
"use strict";

/** One order on the board. */

const { amountOf, formatAmount } = require("../../orders/money.js");
const { statusOf } = require("../../orders/board.js");
const { failureText } = require("../../rpc/violations.js");
const { buttonElement, setPending, textElement } = require("../../view/dom.js");
const { dateOf, formatDayAndTime, plural } = require("../../view/format.js");

/** @typedef {import("../../rpc/orders.js").Order} Order */
/** @typedef {import("../../rpc/status.js").Outcome} Outcome */

/** How many items of an order are named. */
const ITEMS_SHOWN = 3;

/**
 * What can be done with a card.
 *
 * @typedef {object} CardActions
 * @property {boolean} isStaff
 * @property {(order: Order, onEnd: (outcome: Outcome) => void) => void} advance
 * @property {(order: Order) => void} cancel
 */

/** A card. It stays the same element as long as its order is on the board, wherever it stands. */
class Card {
  /**
   * @param {Order} order
   * @param {CardActions} actions
   */
  constructor(order, actions) {
    this.actions = actions;
    this.element = document.createElement("li");
    this.element.className = "card";
    this.element.tabIndex = -1; // takes the focus when the button that had it is gone
    this.element.dataset.orderId = order.id;
    this.order = order;
    this.draw();
  }

  /** @param {Order} order */
  update(order) {
    if (order === this.order) return;
    const moved = order.status !== this.order.status;
    this.order = order;
    this.draw();
    if (moved) this.markFresh();
  }

  /** Lets the card be noticed for a moment. */
  markFresh() {
    this.element.classList.remove("fresh");
    void this.element.offsetWidth; // an animation begins anew only after the page has been laid out without it
    this.element.classList.add("fresh");
  }

  draw() {
    const { order } = this;
    this.element.dataset.version = String(order.version);
    const head = textElement("p", "");
    head.className = "card-head";
    const total = textElement("span", order.total ? formatAmount(amountOf(order.total)) : "");
    total.className = "figure";
    head.append(textElement("strong", `#${order.id}`), total);
    /** @type {HTMLElement[]} */
    const parts = [head];
    if (this.actions.isStaff) {
      const customer = className(textElement("p", order.customerEmail), "card-customer");
      customer.title = order.customerEmail;
      parts.push(customer);
    }
    parts.push(this.items(), className(textElement("p", formatDayAndTime(dateOf(order.updatedAt))), "card-time"));
    const buttons = this.buttons();
    if (buttons.childElementCount > 0) parts.push(buttons);
    this.error = className(textElement("p", ""), "card-error");
    this.error.dataset.testid = "order-error";
    this.error.setAttribute("role", "alert");
    this.element.replaceChildren(...parts, this.error);
  }

  items() {
    const list = className(document.createElement("ul"), "card-items");
    const { items } = this.order;
    for (const { quantity, productName } of items.slice(0, ITEMS_SHOWN)) {
      list.append(textElement("li", `${quantity} × ${productName}`));
    }
    if (items.length > ITEMS_SHOWN)
      list.append(textElement("li", `and ${plural(items.length - ITEMS_SHOWN, "more item")}`));
    return list;
  }

  buttons() {
    const { order, actions } = this;
    const status = statusOf(order.status);
    const box = className(document.createElement("p"), "card-actions");
    if (actions.isStaff && status?.next) {
      const label = `${status.step} order ${order.id}`;
      box.append(buttonElement(status.step, { testId: "order-next", label }, (button) => this.advance(button)));
    }
    if (status?.canCancel) {
      const label = `Cancel order ${order.id}`;
      const options = { testId: "order-cancel", className: "quiet", label };
      box.append(buttonElement("Cancel", options, () => actions.cancel(order)));
    }
    return box;
  }

  /** @param {HTMLButtonElement} button */
  advance(button) {
    const text = button.textContent ?? "";
    if (this.error) this.error.textContent = "";
    setPending(button, true, "Moving…");
    this.actions.advance(this.order, (outcome) => {
      setPending(button, false, text);
      if (outcome.code !== 0 && this.error) this.error.textContent = failureText(outcome);
    });
  }
}

/**
 * @template {HTMLElement} E
 * @param {E} element
 * @param {string} name
 */
function className(element, name) {
  element.className = name;
  return element;
}

module.exports = { Card };
