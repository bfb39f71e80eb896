// @ts-check
"use strict";

/**
 * The orders of the board, by status. What belongs here: which copy of an order counts, in which column it stands, and
 * how many are kept. Orders may come from a list, from the stream and from the answer to a call, in any order and more
 * than once: of two copies the one with the higher version is the newer.
 */

const { OrderStatus } = require("../generated/orders/v1/orders_pb.js");

/** @typedef {import("../rpc/orders.js").Order} Order */

/** How many orders of a status are kept. Older ones are on the server. */
const COLUMN_LIMIT = 50;

/**
 * @typedef {object} Status
 * @property {OrderStatus} status
 * @property {string} id Of the column, and a word for scripts.
 * @property {string} name For people.
 * @property {OrderStatus | null} next Where an order goes from here.
 * @property {string} step What that is called.
 * @property {boolean} canCancel
 */

/** @type {readonly Status[]} The columns, and the steps as the contract has them. */
const STATUSES = Object.freeze([
  column(OrderStatus.PLACED, "Placed", OrderStatus.PAID, "Pay", true),
  column(OrderStatus.PAID, "Paid", OrderStatus.PACKED, "Pack", true),
  column(OrderStatus.PACKED, "Packed", OrderStatus.SHIPPED, "Ship", true),
  column(OrderStatus.SHIPPED, "Shipped", OrderStatus.DELIVERED, "Deliver", false),
  column(OrderStatus.DELIVERED, "Delivered", null, "", false),
  column(OrderStatus.CANCELLED, "Cancelled", null, "", false),
]);

/**
 * @param {OrderStatus} status
 * @param {string} name
 * @param {OrderStatus | null} next
 * @param {string} step
 * @param {boolean} canCancel
 * @returns {Status}
 */
function column(status, name, next, step, canCancel) {
  return { status, id: name.toLowerCase(), name, next, step, canCancel };
}

/** @type {ReadonlyMap<OrderStatus, Status>} */
const BY_STATUS = new Map(STATUSES.map((status) => [status.status, status]));

/**
 * What is known of a status.
 *
 * @param {OrderStatus} status
 */
function statusOf(status) {
  return BY_STATUS.get(status);
}

/**
 * Orders by what changed last, then by what was placed last.
 *
 * @param {Order} a
 * @param {Order} b
 */
function newestFirst(a, b) {
  const seconds = Number((b.updatedAt?.seconds ?? 0n) - (a.updatedAt?.seconds ?? 0n));
  return seconds || (b.updatedAt?.nanos ?? 0) - (a.updatedAt?.nanos ?? 0) || Number(BigInt(b.id) - BigInt(a.id));
}

/** The orders that are known. */
class Board {
  /** @param {number} [limit] How many orders of a status are kept. */
  constructor(limit = COLUMN_LIMIT) {
    this.limit = limit;
    /** @type {Map<string, Order>} */
    this.byId = new Map();
    /** @type {Set<OrderStatus>} Statuses of which there are more orders than are known here. */
    this.incomplete = new Set();
  }

  /**
   * Takes over a new list of orders, in place of all that is known. A copy that is newer than the list's stays.
   *
   * @param {{ orders: Order[], status: OrderStatus, hasMore: boolean }[]} lists One for each status.
   */
  load(lists) {
    const before = this.byId;
    this.byId = new Map();
    this.incomplete = new Set(lists.filter(({ hasMore }) => hasMore).map(({ status }) => status));
    for (const order of lists.flatMap(({ orders }) => orders)) {
      const known = before.get(order.id);
      this.put(known && known.version > order.version ? known : order);
    }
    this.prune();
  }

  /**
   * Takes over one order. Gives whether that changed anything: an older copy does not.
   *
   * @param {Order} order
   */
  put(order) {
    const known = this.byId.get(order.id);
    if (known && known.version >= order.version) return false;
    this.byId.set(order.id, order);
    this.prune(order.status);
    return true;
  }

  /**
   * Gives the orders of a status, the newest change first.
   *
   * @param {OrderStatus} status
   */
  column(status) {
    return [...this.byId.values()].filter((order) => order.status === status).sort(newestFirst);
  }

  /**
   * Says how many orders a status has: with a plus where only the newest are known.
   *
   * @param {OrderStatus} status
   */
  count(status) {
    const known = this.column(status).length;
    return `${known}${this.incomplete.has(status) ? "+" : ""}`;
  }

  /** @param {OrderStatus} [only] */
  prune(only) {
    for (const { status } of STATUSES) {
      if (only !== undefined && status !== only) continue;
      for (const { id } of this.column(status).slice(this.limit)) {
        this.byId.delete(id);
        this.incomplete.add(status);
      }
    }
  }
}

module.exports = { Board, COLUMN_LIMIT, STATUSES, statusOf };
