"use strict";

/** The states of a call and the bounds of what is kept of it. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { cancelledHere, endedWithoutStatus, outcomeOf } = require("../../src/rpc/outcome.js");
const { CallRecord, ROW_LIMIT } = require("../../src/view/call-record.js");

const STREAM = { method: "ServerStreamingEcho", streaming: true, plannedMs: 0, deadlineMs: null };
const UNARY = { ...STREAM, method: "Echo", streaming: false };

describe("the state of a call", () => {
  it("is waiting, streaming and done, for a stream", () => {
    const record = new CallRecord(STREAM, 1000);
    assert.equal(record.state, "waiting");
    record.receive("a", 1010);
    assert.equal(record.state, "streaming");
    assert.equal(record.isRunning, true);
    record.end(outcomeOf({ code: 0 }), 1020);
    assert.equal(record.state, "done");
    assert.equal(record.isRunning, false);
  });

  it("is waiting until the status of a unary call is there", () => {
    const record = new CallRecord(UNARY, 1000);
    record.receive("a", 1010);
    assert.equal(record.state, "waiting");
  });

  it("tells who cancelled", () => {
    const here = new CallRecord(STREAM, 0);
    here.end(cancelledHere(), 1);
    assert.equal(here.state, "cancelled");
    const there = new CallRecord(STREAM, 0);
    there.end(outcomeOf({ code: 1, message: "stop" }), 1);
    assert.equal(there.state, "failed");
  });

  it("is failed without a status", () => {
    const record = new CallRecord(STREAM, 0);
    record.end(endedWithoutStatus(), 1);
    assert.equal(record.state, "failed");
  });
});

describe("the times of a call", () => {
  it("count from its beginning, and stop at its end", () => {
    const record = new CallRecord(STREAM, 1000);
    record.receive("a", 1010);
    record.receive("b", 1210);
    assert.deepEqual(record.rows, [
      { number: 1, arrivalMs: 10, gapMs: 10, text: "a" },
      { number: 2, arrivalMs: 210, gapMs: 200, text: "b" },
    ]);
    assert.equal(record.elapsedMs(1500), 500);
    record.end(outcomeOf({ code: 0 }), 1600);
    assert.equal(record.elapsedMs(9999), 600);
  });
});

describe("the messages of a call", () => {
  it("are bounded, and counted beyond the bound", () => {
    const record = new CallRecord(STREAM, 0);
    for (let time = 1; time <= 10_000; time += 1) record.receive(`m${time}`, time);
    assert.equal(record.rows.length, ROW_LIMIT);
    assert.deepEqual([record.rows[0].number, record.rows.at(-1).number], [10_000 - ROW_LIMIT + 1, 10_000]);
    assert.equal(record.rows[0].text, "m9801");
    assert.equal(record.arrivals.length, 10_000);
  });
});
