"use strict";

/** Which copy of an order counts, where it stands, and how many are kept. */

const assert = require("node:assert/strict");
const { beforeEach, describe, it } = require("node:test");
const { create } = require("@bufbuild/protobuf");
const { Board, STATUSES, statusOf } = require("../../src/orders/board.js");
const { OrderSchema, OrderStatus } = require("../../src/generated/orders/v1/orders_pb.js");

const { PLACED, PAID, CANCELLED } = OrderStatus;

const order = (id, { status = PLACED, version = 1, seconds = 100 } = {}) =>
  create(OrderSchema, { id: String(id), status, version, updatedAt: { seconds: BigInt(seconds) } });

const ids = (board, status) => board.column(status).map(({ id }) => Number(id));

/** @type {Board} */
let board;

beforeEach(() => (board = new Board(3)));

describe("the columns", () => {
  it("are all statuses that the contract knows", () => {
    const known = Object.values(OrderStatus).filter((status) => typeof status === "number" && status > 0);
    assert.deepEqual(
      STATUSES.map(({ status }) => status),
      known,
    );
    assert.equal(statusOf(0), undefined);
  });

  it("show what changed last first, and of the same moment the newest order", () => {
    board.put(order(9, { seconds: 50 }));
    board.put(order(10, { seconds: 50 }));
    board.put(order(2, { seconds: 60 }));
    assert.deepEqual(ids(board, PLACED), [2, 10, 9]);
  });

  it("keep the newest, and say that there are more", () => {
    for (const id of [1, 2, 3]) board.put(order(id, { seconds: id }));
    assert.equal(board.count(PLACED), "3");
    board.put(order(4, { seconds: 4 }));
    assert.deepEqual(ids(board, PLACED), [4, 3, 2]);
    assert.equal(board.count(PLACED), "3+");
    assert.equal(board.count(PAID), "0");
  });
});

describe("a copy of an order", () => {
  it("moves it when it is newer", () => {
    assert.equal(board.put(order(1)), true);
    assert.equal(board.put(order(1, { status: PAID, version: 2 })), true);
    assert.deepEqual([ids(board, PLACED), ids(board, PAID)], [[], [1]]);
  });

  it("does nothing when it is older, or the same again", () => {
    board.put(order(1, { status: PAID, version: 2 }));
    assert.equal(board.put(order(1)), false);
    assert.equal(board.put(order(1, { status: PAID, version: 2 })), false);
    assert.deepEqual(ids(board, PAID), [1]);
  });
});

describe("a list", () => {
  const list = (status, orders, hasMore = false) => ({ status, orders, hasMore });

  it("takes the place of all that was known", () => {
    board.put(order(1));
    board.load([list(PLACED, [order(2)], true), list(PAID, [])]);
    assert.deepEqual(ids(board, PLACED), [2]);
    assert.deepEqual([board.count(PLACED), board.count(PAID)], ["1+", "0"]);
  });

  it("does not bring back an older copy than the answer to a call", () => {
    board.put(order(1, { status: CANCELLED, version: 3 }));
    board.load([list(PLACED, [order(1)]), list(CANCELLED, [])]);
    assert.deepEqual([ids(board, PLACED), ids(board, CANCELLED)], [[], [1]]);
  });
});
