"use strict";

/** Numbers from and for people. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { formatCount, formatMs, plural } = require("../../src/view/format.js");
const { readInteger } = require("../../src/view/integer.js");

describe("formatMs", () => {
  for (const [ms, text] of [
    [0, "0.0 ms"],
    [3.14, "3.1 ms"],
    [99.94, "99.9 ms"],
    [99.96, "100 ms"],
    [999.4, "999 ms"],
    [999.6, "1.00 s"],
    [59_994, "59.99 s"],
    [59_999, "1 min 0 s"],
    [125_400, "2 min 5 s"],
  ]) {
    it(`writes ${ms} as ${text}`, () => assert.equal(formatMs(ms), text));
  }
});

describe("counts", () => {
  it("are grouped and have the right noun", () => {
    assert.equal(formatCount(10_000), "10,000");
    assert.equal(plural(1, "message"), "1 message");
    assert.equal(plural(0, "message"), "0 messages");
    assert.equal(plural(1234, "message"), "1,234 messages");
  });
});

describe("readInteger", () => {
  const limits = { min: 1, max: 10_000 };

  it("takes whole numbers within the limits", () => {
    assert.deepEqual(readInteger(" 1 ", limits), { value: 1, error: "" });
    assert.deepEqual(readInteger("10000", limits), { value: 10_000, error: "" });
    assert.deepEqual(readInteger("0", { min: 0, max: 5 }), { value: 0, error: "" });
  });

  for (const text of ["", "0", "10001", "-1", "1.5", "1e3", "0x10", "ten", "NaN", "Infinity"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.deepEqual(readInteger(text, limits), { value: null, error: "A whole number, 1 to 10,000" });
    });
  }

  it("takes nothing where a field may be empty", () => {
    const optional = { ...limits, optional: true };
    assert.deepEqual(readInteger("  ", optional), { value: null, error: "" });
    assert.deepEqual(readInteger("x", optional), {
      value: null,
      error: "Empty, or 1 to 10,000",
    });
  });
});
