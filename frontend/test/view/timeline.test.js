"use strict";

/** The arithmetic of the timeline. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { axisSpan, countInSlices, markLabel, rhythmOf, roundAxis } = require("../../src/view/timeline.js");

describe("axisSpan", () => {
  it("has room for the plan and for what takes longer", () => {
    assert.equal(axisSpan(2700, 100), 2700);
    assert.equal(axisSpan(2700, 3100), 3100);
  });

  it("is never nothing", () => {
    assert.equal(axisSpan(0, 0), 10);
  });

  it("does not lay out hours in advance", () => {
    assert.equal(axisSpan(600_000_000, 1500), 1500);
  });
});

describe("roundAxis", () => {
  it("has round marks that cover the span", () => {
    assert.deepEqual(roundAxis(2700, 6), { endMs: 3000, stepMs: 500, marks: [0, 500, 1000, 1500, 2000, 2500, 3000] });
    assert.deepEqual(roundAxis(10, 5), { endMs: 10, stepMs: 2, marks: [0, 2, 4, 6, 8, 10] });
  });

  it("covers any span with at most the marks that were asked for", () => {
    for (const most of [1, 3, 4, 8]) {
      for (let span = 10; span < 1e6; span *= 1.37) {
        const { endMs, stepMs, marks } = roundAxis(span, most);
        assert.ok(endMs >= span && endMs - stepMs < span, `${span} in ${most}`);
        assert.ok(marks.length <= most + 1, `${span} in ${most}: ${marks}`);
        assert.ok([1, 2, 5].includes(Number(stepMs.toExponential()[0])), `${stepMs}`);
      }
    }
  });
});

describe("countInSlices", () => {
  it("counts each arrival once", () => {
    assert.deepEqual(countInSlices([0, 9, 10, 11, 35, 40], 40, 4), [2, 2, 0, 2]);
  });

  it("counts what comes past the end for the last slice", () => {
    assert.deepEqual(countInSlices([41, 400], 40, 4), [0, 0, 0, 2]);
  });

  it("gives empty slices for no arrivals", () => {
    assert.deepEqual(countInSlices([], 40, 3), [0, 0, 0]);
  });
});

describe("rhythmOf", () => {
  it("knows no gap before there are two messages", () => {
    assert.deepEqual(rhythmOf([]), { firstMs: null, medianGapMs: null, longestGapMs: null });
    assert.deepEqual(rhythmOf([7]), { firstMs: 7, medianGapMs: null, longestGapMs: null });
  });

  it("gives the gap in the middle and the longest, by size and not by name", () => {
    assert.deepEqual(rhythmOf([5, 14, 114, 115]), { firstMs: 5, medianGapMs: 9, longestGapMs: 100 });
    assert.deepEqual(rhythmOf([5, 10, 40]), { firstMs: 5, medianGapMs: 17.5, longestGapMs: 30 });
  });
});

describe("markLabel", () => {
  it("has the unit of the axis", () => {
    assert.deepEqual(
      [0, 200, 800].map((ms) => markLabel(ms, 800)),
      ["0", "200 ms", "800 ms"],
    );
    assert.deepEqual(
      [0, 500, 3000].map((ms) => markLabel(ms, 3000)),
      ["0", "0.5 s", "3 s"],
    );
  });

  it("shows no rounding errors", () => {
    assert.equal(markLabel(0.1 + 0.2, 10), "0.3 ms");
    assert.equal(markLabel(3 * 100, 1200), "0.3 s");
  });
});
