// @ts-check
"use strict";

/**
 * What a customer wants to buy, and the attempt to buy it. What belongs here: the rules; what the cart looks like is the
 * view's business.
 *
 * An attempt has an idempotency key. It is kept as long as the cart stays as it is: whoever presses the button again,
 * because an answer was lost, gets the order of the first attempt and no second one. Whatever changes the cart ends it.
 */

const { amountOf, totalOf } = require("./money.js");

/** @typedef {import("../rpc/orders.js").Product} Product */

/** The contract's limits. */
const MAX_QUANTITY = 99;
const MAX_LINES = 20;

/**
 * @typedef {object} Line
 * @property {Product} product
 * @property {number} quantity
 * @property {string} error What is wrong with it, such as too little stock; empty if nothing is known to be.
 */

/** The lines, in the order in which they were added. */
class Cart {
  /** @param {() => string} [newKey] Makes an idempotency key. */
  constructor(newKey = () => crypto.randomUUID()) {
    this.newKey = newKey;
    /** @type {Map<string, Line>} By product id. */
    this.byProduct = new Map();
    /** @type {string | null} */
    this.key = null;
  }

  /** @returns {Line[]} */
  get lines() {
    return [...this.byProduct.values()];
  }

  get isEmpty() {
    return this.byProduct.size === 0;
  }

  /** The exact sum; null for an empty cart. */
  get total() {
    return totalOf(this.lines.map(({ product, quantity }) => ({ price: amountOf(product.price), quantity })));
  }

  /**
   * Whether one more of a product can go in.
   *
   * @param {Product} product
   */
  canAdd(product) {
    const line = this.byProduct.get(product.id);
    if (!line) return product.stock > 0 && this.byProduct.size < MAX_LINES;
    return line.quantity < Math.min(MAX_QUANTITY, product.stock);
  }

  /**
   * Adds one of a product, if that can be.
   *
   * @param {Product} product
   */
  add(product) {
    if (!this.canAdd(product)) return;
    this.set(product, (this.byProduct.get(product.id)?.quantity ?? 0) + 1);
  }

  /**
   * Sets how many of a product are wanted.
   *
   * @param {Product} product
   * @param {number} quantity 0 takes it out.
   */
  set(product, quantity) {
    if (quantity <= 0) this.byProduct.delete(product.id);
    else this.byProduct.set(product.id, { product, quantity: Math.min(quantity, MAX_QUANTITY), error: "" });
    this.key = null;
  }

  /** Takes everything out. */
  clear() {
    this.byProduct.clear();
    this.key = null;
  }

  /** What to ask the server for: the same for every try of an attempt. */
  request() {
    this.key ??= this.newKey();
    const items = this.lines.map(({ product, quantity }) => ({ productId: product.id, quantity }));
    return { items, idempotencyKey: this.key };
  }

  /** What is worth keeping. @returns {import("./saved-cart.js").SavedCart} */
  saved() {
    return { key: this.key, lines: this.lines.map(({ product, quantity }) => [product.id, quantity]) };
  }

  /**
   * Fills an empty cart with what was kept. What is sold no more stays out, and then the attempt is another one.
   *
   * @param {import("./saved-cart.js").SavedCart} saved
   * @param {Product[]} products All that there are.
   * @returns {boolean} Whether everything is there again.
   */
  restore({ key, lines }, products) {
    const byId = new Map(products.map((product) => [product.id, product]));
    for (const [id, quantity] of lines) {
      const product = byId.get(id);
      if (product) this.set(product, quantity);
    }
    const isWhole = this.byProduct.size === lines.length;
    this.key = isWhole ? key : null;
    return isWhole;
  }

  /**
   * Puts what the server refused at the lines. Gives what is not about a line.
   *
   * @param {{ field: string, description: string }[]} fields
   * @param {{ subject: string, description: string }[]} preconditions
   * @returns {string[]}
   */
  refuse(fields, preconditions) {
    for (const line of this.byProduct.values()) line.error = "";
    const { lines } = this;
    /** @type {string[]} */
    const rest = [];
    /** @type {(line: Line | undefined, description: string) => void} */
    const put = (line, description) => {
      if (line) line.error = description;
      else rest.push(description);
    };
    for (const { field, description } of fields) {
      put(lines[Number(/^items\[(\d+)\]/.exec(field)?.[1] ?? -1)], description);
    }
    for (const { subject, description } of preconditions) {
      put(this.byProduct.get(/^products\/(\d+)$/.exec(subject)?.[1] ?? ""), description);
    }
    return rest;
  }

  /**
   * Takes over prices and stock that the catalogue has now. A changed price ends no attempt: the server decides.
   *
   * @param {Product[]} products
   */
  refresh(products) {
    for (const product of products) {
      const line = this.byProduct.get(product.id);
      if (line) line.product = product;
    }
  }
}

module.exports = { Cart, MAX_LINES, MAX_QUANTITY };
