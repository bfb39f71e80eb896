"use strict";

/** The rules of the cart, and the life of an idempotency key. */

const assert = require("node:assert/strict");
const { beforeEach, describe, it } = require("node:test");
const { create } = require("@bufbuild/protobuf");
const { Cart, MAX_LINES, MAX_QUANTITY } = require("../../src/orders/cart.js");
const { ProductSchema } = require("../../src/generated/orders/v1/orders_pb.js");

const product = (id, { stock = 10, units = 2n, nanos = 500_000_000 } = {}) =>
  create(ProductSchema, { id, name: `Product ${id}`, stock, price: { currencyCode: "EUR", units, nanos } });

/** @type {Cart} */
let cart;
let keys;

beforeEach(() => {
  keys = 0;
  cart = new Cart(() => `key-${(keys += 1)}`);
});

describe("a cart", () => {
  it("adds one at a time, and sums exactly", () => {
    cart.add(product("1"));
    cart.add(product("1"));
    cart.add(product("2", { units: 0n, nanos: 10_000_000 }));
    assert.deepEqual(
      cart.lines.map((line) => [line.product.id, line.quantity]),
      [
        ["1", 2],
        ["2", 1],
      ],
    );
    assert.equal(cart.total.nanos, 5_010_000_000n);
  });

  it("is empty at first, and after everything was taken out", () => {
    assert.equal(cart.total, null);
    cart.add(product("1"));
    cart.set(product("1"), 0);
    assert.equal(cart.isEmpty, true);
  });

  it("takes no more than there is in stock, nor than an order may have", () => {
    cart.add(product("1", { stock: 1 }));
    cart.add(product("1", { stock: 1 }));
    cart.add(product("2", { stock: 0 }));
    cart.set(product("3"), 1000);
    assert.deepEqual(
      cart.lines.map((line) => line.quantity),
      [1, MAX_QUANTITY],
    );
    for (let id = 10; id < 50; id += 1) cart.add(product(String(id)));
    assert.equal(cart.lines.length, MAX_LINES);
  });

  it("takes over new prices and stock", () => {
    cart.add(product("1"));
    cart.refresh([product("1", { units: 3n, nanos: 0, stock: 1 }), product("2")]);
    assert.equal(cart.total.nanos, 3_000_000_000n);
    assert.equal(cart.canAdd(product("1", { stock: 1 })), false);
    assert.equal(cart.lines.length, 1);
  });
});

describe("the idempotency key", () => {
  it("stays for every try of an attempt, also after a refusal", () => {
    cart.add(product("1"));
    const first = cart.request();
    assert.deepEqual(first, { items: [{ productId: "1", quantity: 1 }], idempotencyKey: "key-1" });
    cart.refuse([], []);
    cart.refresh([product("1", { stock: 3 })]);
    assert.deepEqual(cart.request(), first);
  });

  it("is a new one after every change and every order", () => {
    cart.add(product("1"));
    const seen = [cart.request().idempotencyKey];
    cart.add(product("1"));
    seen.push(cart.request().idempotencyKey);
    cart.set(product("2"), 4);
    seen.push(cart.request().idempotencyKey);
    cart.clear();
    cart.add(product("1"));
    seen.push(cart.request().idempotencyKey);
    assert.deepEqual(seen, ["key-1", "key-2", "key-3", "key-4"]);
  });

  it("is a UUID unless told otherwise", () => {
    const ordinary = new Cart();
    ordinary.add(product("1"));
    assert.match(ordinary.request().idempotencyKey, /^[0-9a-f-]{36}$/);
  });
});

describe("a refusal", () => {
  it("stands at the lines that it is about, until they change", () => {
    cart.add(product("1"));
    cart.add(product("22"));
    const rest = cart.refuse(
      [
        { field: "items[0].quantity", description: "too many" },
        { field: "idempotency_key", description: "too short" },
      ],
      [
        { subject: "products/22", description: "2 wanted, 1 in stock" },
        { subject: "products/333", description: "not yours" },
      ],
    );
    assert.deepEqual(
      cart.lines.map((line) => line.error),
      ["too many", "2 wanted, 1 in stock"],
    );
    assert.deepEqual(rest, ["too short", "not yours"]);
    cart.add(product("22"));
    assert.deepEqual(
      cart.lines.map((line) => line.error),
      ["too many", ""],
    );
    cart.refuse([], []);
    assert.equal(cart.lines[0].error, "");
  });
});
