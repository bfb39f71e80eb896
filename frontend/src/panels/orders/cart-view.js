// @ts-check
"use strict";

/** The cart: its lines, their sum, and the button that places the order. */

const { MAX_QUANTITY } = require("../../orders/cart.js");
const { amountOf, formatAmount } = require("../../orders/money.js");
const { failureText, fieldViolations, preconditionViolations } = require("../../rpc/violations.js");
const {
  buttonElement,
  byTestId,
  find,
  isEnabled,
  setEnabled,
  setPending,
  setText,
  textElement,
} = require("../../view/dom.js");
const { readInteger } = require("../../view/integer.js");

/** @typedef {import("../../orders/cart.js").Cart} Cart */
/** @typedef {import("../../orders/cart.js").Line} Line */
/** @typedef {import("../../rpc/orders.js").Order} Order */

/** Draws a `Cart`. Nothing in it changes while an order is being placed. */
class CartView {
  /**
   * @param {HTMLElement} root
   * @param {Cart} cart
   * @param {import("../../rpc/orders.js").OrderCalls} calls
   * @param {{ onChange: () => void, onPlaced: (order: Order) => void, onRefused: () => void }} page
   */
  constructor(root, cart, calls, page) {
    this.cart = cart;
    this.calls = calls;
    this.page = page;
    this.isPending = false;
    this.isAwaited = false;
    this.empty = byTestId(root, "cart-empty", HTMLElement);
    this.lines = byTestId(root, "cart-lines", HTMLElement);
    this.total = byTestId(root, "cart-total", HTMLElement);
    this.place = byTestId(root, "cart-place", HTMLButtonElement);
    this.outcome = byTestId(root, "cart-outcome", HTMLElement);
    /** @type {Map<string, HTMLElement>} By product id. */
    this.elements = new Map();
    byTestId(root, "cart", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (isEnabled(this.place)) this.submit();
    });
  }

  /** @param {import("../../rpc/orders.js").Product} product */
  add(product) {
    if (this.isPending) return;
    this.cart.add(product);
    this.say("");
    this.changed();
  }

  /** Says that a cart was kept, and waits for the catalogue. */
  wait() {
    this.isAwaited = true;
    this.render();
  }

  /**
   * Fills the cart with what was kept.
   *
   * @param {import("../../orders/saved-cart.js").SavedCart} saved
   * @param {import("../../rpc/orders.js").Product[]} products
   */
  restore(saved, products) {
    this.isAwaited = false;
    if (!this.cart.restore(saved, products)) this.say("Something that was in the cart is not sold any more.");
    this.changed();
  }

  changed() {
    this.render();
    this.page.onChange();
  }

  render() {
    const { cart } = this;
    const lines = new Map(cart.lines.map((line) => [line.product.id, line]));
    for (const [id, element] of this.elements) {
      if (lines.has(id)) continue;
      element.remove();
      this.elements.delete(id);
    }
    for (const [id, line] of lines) {
      const element = this.elements.get(id) ?? this.line(line);
      this.updateLine(element, line);
    }
    this.empty.hidden = !cart.isEmpty || this.isAwaited;
    const { total } = cart;
    setText(this.total, total ? formatAmount(total) : "–");
    this.total.dataset.nanos = String(total?.nanos ?? 0n);
    setPending(this.place, this.isPending, this.isPending ? "Placing…" : "Place order");
    setEnabled(this.place, !this.isPending && !cart.isEmpty);
  }

  /** @param {Line} line */
  line({ product }) {
    const element = document.createElement("li");
    element.dataset.productId = product.id;
    const input = document.createElement("input");
    Object.assign(input, { type: "number", min: "1", max: String(MAX_QUANTITY), step: "1", inputMode: "numeric" });
    input.className = "number";
    input.autocomplete = "off";
    input.dataset.testid = "cart-quantity";
    input.setAttribute("aria-label", `Quantity of ${product.name}`);
    const error = textElement("p", "");
    error.className = "field-error";
    error.dataset.testid = "cart-error";
    error.id = `cart-error-${product.id}`;
    input.addEventListener("input", () => this.setQuantity(product.id, input, error));
    const name = textElement("span", product.name);
    name.className = "cart-name";
    const sum = textElement("span", "");
    sum.className = "cart-sum figure";
    const options = { testId: "cart-remove", className: "quiet", label: `Remove ${product.name}` };
    const remove = buttonElement("Remove", options, () => {
      if (this.isPending) return;
      this.cart.set(product, 0);
      this.changed();
      const next = this.lines.querySelector("input") ?? this.place;
      next.focus();
    });
    element.append(name, input, sum, remove, error);
    this.lines.append(element);
    this.elements.set(product.id, element);
    return element;
  }

  /**
   * @param {HTMLElement} element
   * @param {Line} line
   */
  updateLine(element, { product, quantity, error }) {
    const input = byTestId(element, "cart-quantity", HTMLInputElement);
    if (document.activeElement !== input || input.value === "") input.value = String(quantity);
    input.readOnly = this.isPending;
    const { currencyCode, nanos } = amountOf(product.price);
    const sum = formatAmount({ currencyCode, nanos: nanos * BigInt(quantity) });
    setText(find(element, ".cart-sum", HTMLElement), sum);
    showError(input, byTestId(element, "cart-error", HTMLElement), error);
  }

  /**
   * @param {string} productId
   * @param {HTMLInputElement} input
   * @param {HTMLElement} error
   */
  setQuantity(productId, input, error) {
    const line = this.cart.lines.find(({ product }) => product.id === productId);
    if (!line || this.isPending) return;
    const read = readInteger(input.validity.badInput ? "?" : input.value, { min: 1, max: MAX_QUANTITY });
    if (read.value === null) {
      showError(input, error, read.error);
      setEnabled(this.place, false);
      return;
    }
    this.cart.set(line.product, read.value);
    this.say("");
    this.changed();
  }

  submit() {
    this.isPending = true;
    this.say("");
    const request = this.cart.request();
    this.changed();
    /** @type {Order | undefined} */
    let placed;
    this.calls.placeOrder(request, {
      onMessage: ({ order }) => (placed = order),
      onEnd: (outcome) => {
        this.isPending = false;
        if (outcome.code === 0 && placed) this.succeed(placed);
        else this.refuse(outcome);
        this.changed();
      },
    });
  }

  /** @param {Order} order */
  succeed(order) {
    this.cart.clear();
    this.say(`Order ${order.id} is placed.`, "done");
    this.page.onPlaced(order);
  }

  /** @param {import("../../rpc/status.js").Outcome} outcome */
  refuse(outcome) {
    const rest = this.cart.refuse(fieldViolations(outcome), preconditionViolations(outcome));
    const text = [failureText(outcome), ...rest].join(" ");
    // The idempotency key makes this true.
    this.say(outcome.origin === "connection" ? `${text} No order is placed twice.` : text, "failed");
    this.page.onRefused();
  }

  /**
   * @param {string} text
   * @param {"" | "done" | "failed"} [state]
   */
  say(text, state = "") {
    this.outcome.dataset.state = state;
    setText(this.outcome, text);
  }
}

/**
 * @param {HTMLInputElement} input
 * @param {HTMLElement} error
 * @param {string} text
 */
function showError(input, error, text) {
  setText(error, text);
  error.hidden = text === "";
  input.setAttribute("aria-invalid", String(text !== ""));
  if (text) input.setAttribute("aria-describedby", error.id);
  else input.removeAttribute("aria-describedby");
}

module.exports = { CartView };
