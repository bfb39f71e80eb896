// @ts-check
"use strict";

/**
 * The cart as a tab keeps it through a reload. What belongs here: what is written, and what is believed when it is read.
 *
 * Ids, quantities and the idempotency key are kept, so that whoever reloads the page because an answer did not come, and
 * places the cart once more, gets the order of the first attempt. Names, prices and stock are the catalogue's, which may
 * have changed meanwhile. A tab keeps a cart for each customer; another tab has another cart and another key.
 */

const { MAX_LINES, MAX_QUANTITY } = require("./cart.js");

/** What is written changes its version when it changes its form; others are not read. */
const VERSION = 1;

/**
 * @typedef {object} SavedCart
 * @property {string | null} key The idempotency key of an attempt whose end is not known.
 * @property {[productId: string, quantity: number][]} lines
 */

/** One customer's cart in the storage of the tab. A browser that keeps nothing is one without a saved cart. */
class CartStorage {
  /**
   * @param {() => Pick<Storage, "getItem" | "setItem" | "removeItem">} storage Throws where there is none.
   * @param {string} customerId
   */
  constructor(storage, customerId) {
    this.storage = storage;
    this.name = `cart-of-${customerId}`;
  }

  /** @returns {SavedCart | null} Null where nothing is saved that makes sense. */
  read() {
    try {
      return savedCartOf(JSON.parse(this.storage().getItem(this.name) ?? "null"));
    } catch {
      return null;
    }
  }

  /** @param {import("./cart.js").Cart} cart */
  write(cart) {
    try {
      if (cart.isEmpty) this.storage().removeItem(this.name);
      else this.storage().setItem(this.name, JSON.stringify({ version: VERSION, ...cart.saved() }));
    } catch {
      // Full, or forbidden: then it lasts as long as the page.
    }
  }
}

/**
 * Believes all or nothing: the text may be another version's, or anybody's.
 *
 * @param {unknown} value
 * @returns {SavedCart | null}
 */
function savedCartOf(value) {
  if (typeof value !== "object" || value === null) return null;
  const { version, key, lines } = /** @type {Record<string, unknown>} */ (value);
  if (version !== VERSION || !Array.isArray(lines) || lines.length === 0 || lines.length > MAX_LINES) return null;
  if (key !== null && !(typeof key === "string" && /^[\w-]{8,64}$/.test(key))) return null;
  if (!lines.every(isLine) || new Set(lines.map(([id]) => id)).size < lines.length) return null;
  return { key, lines };
}

/**
 * @param {unknown} line
 * @returns {line is [string, number]}
 */
function isLine(line) {
  if (!Array.isArray(line) || line.length !== 2) return false;
  const [id, quantity] = line;
  if (typeof id !== "string" || !/^[1-9]\d{0,18}$/.test(id)) return false;
  return Number.isInteger(quantity) && quantity >= 1 && quantity <= MAX_QUANTITY;
}

module.exports = { CartStorage };
