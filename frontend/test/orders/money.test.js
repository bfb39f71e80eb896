"use strict";

/** Money is exact, also where a floating-point number would not be. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { amountOf, formatAmount, totalOf } = require("../../src/orders/money.js");

const euros = (units, cents = 0) => amountOf({ currencyCode: "EUR", units: BigInt(units), nanos: cents * 10_000_000 });

describe("an amount", () => {
  it("is the whole number of billionths", () => {
    assert.deepEqual(euros(12, 50), { currencyCode: "EUR", nanos: 12_500_000_000n });
    assert.deepEqual(amountOf({ currencyCode: "EUR", units: -1n, nanos: -750_000_000 }).nanos, -1_750_000_000n);
    assert.deepEqual(amountOf(undefined), { currencyCode: "", nanos: 0n });
  });

  for (const [amount, text] of [
    [euros(0), "€0.00"],
    [euros(0, 5), "€0.05"],
    [euros(1234, 50), "€1,234.50"],
    [euros(-1, -75), "-€1.75"],
    [amountOf({ currencyCode: "EUR", units: 90071992547409931n, nanos: 10_000_000 }), "€90,071,992,547,409,931.01"],
    [amountOf({ currencyCode: "JPY", units: 1500n, nanos: 0 }), "¥1,500"],
    [amountOf({ currencyCode: "USD", units: 0n, nanos: 1_500_000 }), "$0.0015"],
  ]) {
    it(`is written as ${text}`, () => assert.equal(formatAmount(amount), text));
  }
});

describe("a total", () => {
  it("has no rounding, where 0.1 + 0.2 would have some", () => {
    const total = totalOf([
      { price: euros(0, 10), quantity: 1 },
      { price: euros(0, 20), quantity: 1 },
    ]);
    assert.equal(total.nanos, 300_000_000n);
    assert.equal(totalOf([{ price: euros(1, 15), quantity: 99 }]).nanos, 113_850_000_000n);
  });

  it("is nothing for nothing", () => assert.equal(totalOf([]), null));

  it("does not mix currencies", () => {
    const dollars = amountOf({ currencyCode: "USD", units: 1n, nanos: 0 });
    const lines = [euros(1), dollars].map((price) => ({ price, quantity: 1 }));
    assert.throws(() => totalOf(lines), /USD cannot be added to EUR/);
  });
});
