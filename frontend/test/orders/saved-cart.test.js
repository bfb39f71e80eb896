"use strict";

/** What a tab keeps of a cart, and what it believes when it reads it. */

const assert = require("node:assert/strict");
const { beforeEach, describe, it } = require("node:test");
const { create } = require("@bufbuild/protobuf");
const { Cart, MAX_LINES } = require("../../src/orders/cart.js");
const { CartStorage } = require("../../src/orders/saved-cart.js");
const { ProductSchema } = require("../../src/generated/orders/v1/orders_pb.js");

const NAME = "cart-of-7";
const KEY = "0b0f9f0c-7c36-4d39-9a2f-2f5d3c0d6a11";

const product = (id, units = 2n) =>
  create(ProductSchema, { id, name: `Product ${id}`, stock: 10, price: { currencyCode: "EUR", units, nanos: 0 } });

/** As a browser's, with text in it. */
class FakeStorage {
  items = new Map();

  getItem(name) {
    return this.items.get(name) ?? null;
  }

  setItem(name, text) {
    this.items.set(name, text);
  }

  removeItem(name) {
    this.items.delete(name);
  }
}

let tab;
let storage;

beforeEach(() => {
  tab = new FakeStorage();
  storage = new CartStorage(() => tab, "7");
});

/** A cart with two products. */
function filledCart() {
  const cart = new Cart(() => KEY);
  cart.set(product("1"), 3);
  cart.set(product("22"), 1);
  return cart;
}

describe("a cart that is kept", () => {
  it("is the same after a reload, with prices of now", () => {
    storage.write(filledCart());
    const cart = new Cart();
    assert.equal(cart.restore(storage.read(), [product("22"), product("1", 5n), product("3")]), true);
    assert.deepEqual(
      cart.lines.map((line) => [line.product.id, line.quantity]),
      [
        ["1", 3],
        ["22", 1],
      ],
    );
    assert.equal(cart.total.nanos, 17_000_000_000n);
    assert.equal(cart.key, null);
  });

  it("keeps the key of an attempt, so that it is made once", () => {
    const before = filledCart();
    const request = before.request();
    storage.write(before);
    const cart = new Cart(() => "another key");
    cart.restore(storage.read(), [product("1"), product("22")]);
    assert.deepEqual(cart.request(), request);
  });

  it("is another attempt where something is sold no more", () => {
    const before = filledCart();
    before.request();
    storage.write(before);
    const cart = new Cart();
    assert.equal(cart.restore(storage.read(), [product("22")]), false);
    assert.deepEqual(cart.saved(), { key: null, lines: [["22", 1]] });
  });

  it("is forgotten when it is empty", () => {
    const cart = filledCart();
    storage.write(cart);
    cart.clear();
    storage.write(cart);
    assert.equal(tab.items.size, 0);
    assert.equal(storage.read(), null);
  });

  it("is one customer's", () => {
    storage.write(filledCart());
    assert.equal(new CartStorage(() => tab, "8").read(), null);
  });
});

describe("what is read", () => {
  const lines = [["1", 1]];
  const good = { version: 1, key: KEY, lines };
  const many = Array.from({ length: MAX_LINES + 1 }, (_, index) => [String(index + 1), 1]);

  it("is believed where it makes sense", () => {
    for (const key of [KEY, null]) {
      tab.setItem(NAME, JSON.stringify({ ...good, key }));
      assert.deepEqual(storage.read(), { key, lines });
    }
  });

  for (const [what, text] of [
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["a number", "7"],
    ["another version", JSON.stringify({ ...good, version: 2 })],
    ["no key", JSON.stringify({ version: 1, lines })],
    ["a key that is none", JSON.stringify({ ...good, key: "short" })],
    ["a key with a line break", JSON.stringify({ ...good, key: `${KEY}\n` })],
    ["a key that is a number", JSON.stringify({ ...good, key: 12345678 })],
    ["no lines", JSON.stringify({ ...good, lines: undefined })],
    ["lines that are none", JSON.stringify({ ...good, lines: { length: 1 } })],
    ["an empty list", JSON.stringify({ ...good, lines: [] })],
    ["too many lines", JSON.stringify({ ...good, lines: many })],
    ["a line that is none", JSON.stringify({ ...good, lines: ["11"] })],
    ["a longer line", JSON.stringify({ ...good, lines: [["1", 1, 1]] })],
    ["an id that is a number", JSON.stringify({ ...good, lines: [[1, 1]] })],
    ["an id that is none", JSON.stringify({ ...good, lines: [["-1", 1]] })],
    ["a quantity of nothing", JSON.stringify({ ...good, lines: [["1", 0]] })],
    ["too large a quantity", JSON.stringify({ ...good, lines: [["1", 100]] })],
    ["half a quantity", JSON.stringify({ ...good, lines: [["1", 1.5]] })],
    ["a quantity as text", JSON.stringify({ ...good, lines: [["1", "1"]] })],
    [
      "a product twice",
      JSON.stringify({
        ...good,
        lines: [
          ["1", 1],
          ["1", 2],
        ],
      }),
    ],
  ]) {
    it(`is not believed: ${what}`, () => {
      tab.setItem(NAME, text);
      assert.equal(storage.read(), null);
    });
  }

  it("is nothing in a browser that keeps nothing", () => {
    const none = new CartStorage(() => {
      throw new Error("SecurityError");
    }, "7");
    none.write(filledCart());
    assert.equal(none.read(), null);
  });

  it("is nothing where the storage is full", () => {
    tab.setItem = () => {
      throw new Error("QuotaExceededError");
    };
    storage.write(filledCart());
    assert.equal(storage.read(), null);
  });
});
