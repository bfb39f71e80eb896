"use strict";

/** The echo calls against a fake XMLHttpRequest: what is sent, and what an observer is told. */

const assert = require("node:assert/strict");
const { beforeEach, describe, it } = require("node:test");
const { FakeXhr } = require("../codegen/fake-xhr.cjs");
const {
  BINARY,
  HOST,
  OK,
  TEXT,
  answer,
  messageFrame,
  sentMessage,
  text,
  trailerFrame,
} = require("../codegen/server.cjs");
const { EchoCalls } = require("../../src/rpc/echo.js");
const schemas = require("../../src/generated/echo/v1/echo_pb.js");

const TEXT_MODE = { format: "text", deadlineMs: null };
const PLAN = { message: "hi", messageCount: 2, intervalMs: 1500 };

/** All that an observer is told, in order. */
function record() {
  const events = [];
  return {
    events,
    onMessage: (message) => events.push(message.message ?? "empty"),
    onEnd: (outcome) => events.push(outcome),
  };
}

const echoed = (message) => messageFrame(schemas.EchoResponseSchema, { message, messageCount: 1 });
const streamed = (sequence) => messageFrame(schemas.ServerStreamingEchoResponseSchema, { message: "hi", sequence });

beforeEach(() => FakeXhr.reset());

describe("a unary call", () => {
  it("sends the request and gives the message, then the outcome with its trailers", () => {
    const seen = record();
    new EchoCalls().echo({ message: "hi" }, TEXT_MODE, seen);
    assert.equal(FakeXhr.request.url, "/echo.v1.EchoService/Echo");
    assert.equal(sentMessage(schemas.EchoRequestSchema).message, "hi");
    answer(echoed("hi"), trailerFrame("grpc-status: 0", "cost: 3"));
    assert.deepEqual(seen.events, [
      "hi",
      { code: 0, codeName: "OK", message: "", details: [], trailers: [["cost", "3"]], origin: "server" },
    ]);
  });

  it("gives the server's status, with its message decoded", () => {
    const seen = record();
    new EchoCalls().echoAbort({ code: 5, message: "gone" }, TEXT_MODE, seen);
    const sent = sentMessage(schemas.EchoAbortRequestSchema);
    assert.deepEqual([sent.code, sent.message], [5, "gone"]);
    answer(trailerFrame("grpc-status: 5", "grpc-message: gone%3A caf%C3%A9", "retry: no"));
    assert.deepEqual(seen.events, [
      {
        code: 5,
        codeName: "NOT_FOUND",
        message: "gone: café",
        details: [],
        trailers: [["retry", "no"]],
        origin: "server",
      },
    ]);
  });

  it("is not taken for a success when its status is missing", () => {
    const seen = record();
    new EchoCalls().echo({ message: "hi" }, TEXT_MODE, seen);
    answer(echoed("hi"));
    assert.equal(seen.events[0], "hi");
    assert.deepEqual([seen.events[1].codeName, seen.events[1].origin], ["UNKNOWN", "connection"]);
    assert.equal(seen.events.length, 2);
  });

  it("says that the connection failed when there was no HTTP answer", () => {
    const seen = record();
    new EchoCalls({ hostname: HOST }).noOp(TEXT_MODE, seen);
    FakeXhr.request.finish(); // as a browser does it: complete, with HTTP status 0
    assert.equal(seen.events.length, 1);
    assert.deepEqual([seen.events[0].code, seen.events[0].origin], [2, "connection"]);
  });

  it("says so when the answer ended with nothing in it", () => {
    const seen = record();
    new EchoCalls().noOp(TEXT_MODE, seen);
    answer();
    assert.equal(seen.events.length, 1);
    assert.deepEqual([seen.events[0].code, seen.events[0].origin], [2, "connection"]);
  });

  it("is cancelled on the wire and for its observer, once", () => {
    const seen = record();
    const call = new EchoCalls().noOp(TEXT_MODE, seen);
    call.cancel();
    call.cancel();
    assert.equal(FakeXhr.request.aborted, true);
    assert.deepEqual(
      seen.events.map((outcome) => [outcome.codeName, outcome.origin]),
      [["CANCELLED", "client"]],
    );
  });
});

describe("a stream", () => {
  it("asks for count and interval, and gives each message when it is there", () => {
    const seen = record();
    new EchoCalls().serverStreamingEcho(PLAN, TEXT_MODE, seen);
    const sent = sentMessage(schemas.ServerStreamingEchoRequestSchema);
    assert.deepEqual([sent.message, sent.messageCount], ["hi", 2]);
    assert.deepEqual([sent.messageInterval.seconds, sent.messageInterval.nanos], [1n, 500_000_000]);
    FakeXhr.request.start(TEXT);
    FakeXhr.request.push(text(streamed(1)));
    assert.deepEqual(seen.events, ["hi"]);
    FakeXhr.request.push(text(OK));
    FakeXhr.request.finish();
    assert.equal(seen.events.length, 2);
    assert.equal(seen.events[1].codeName, "OK");
  });

  it("ends once when it fails after a message, although grpc-web also reports an end", () => {
    const seen = record();
    new EchoCalls().serverStreamingEchoAbort({ ...PLAN, code: 8 }, TEXT_MODE, seen);
    assert.equal(sentMessage(schemas.ServerStreamingEchoAbortRequestSchema).code, 8);
    answer(streamed(1), trailerFrame("grpc-status: 8", "grpc-message: full", "left: 0"));
    assert.equal(seen.events.length, 2);
    assert.deepEqual(seen.events[1], {
      code: 8,
      codeName: "RESOURCE_EXHAUSTED",
      message: "full",
      details: [],
      trailers: [["left", "0"]],
      origin: "server",
    });
  });

  it("is not taken for a success when its status is missing", () => {
    const seen = record();
    new EchoCalls().serverStreamingEcho(PLAN, TEXT_MODE, seen);
    answer(streamed(1));
    assert.deepEqual([seen.events[1].codeName, seen.events[1].origin], ["UNKNOWN", "connection"]);
  });

  it("tells nothing after cancel", () => {
    const seen = record();
    const call = new EchoCalls().serverStreamingEcho(PLAN, TEXT_MODE, seen);
    FakeXhr.request.start(TEXT);
    FakeXhr.request.push(text(streamed(1)));
    call.cancel();
    assert.equal(FakeXhr.request.aborted, true);
    assert.deepEqual([seen.events[0], seen.events[1].origin, seen.events.length], ["hi", "client", 2]);
  });

  it("tells nothing after cancel, even of messages that came in the same piece", () => {
    const seen = record();
    const call = new EchoCalls().serverStreamingEcho(PLAN, TEXT_MODE, {
      onMessage(message) {
        seen.onMessage(message);
        call.cancel();
      },
      onEnd: (outcome) => seen.onEnd(outcome.origin),
    });
    FakeXhr.request.start(TEXT);
    FakeXhr.request.push(text(Buffer.concat([streamed(1), streamed(2)])));
    assert.deepEqual(seen.events, ["hi", "client"]);
  });

  it("does nothing when it is cancelled after its end", () => {
    const seen = record();
    const call = new EchoCalls().serverStreamingEcho(PLAN, TEXT_MODE, seen);
    answer(OK);
    call.cancel();
    assert.equal(FakeXhr.request.aborted, false);
    assert.equal(seen.events.length, 1);
  });
});

describe("settings of a call", () => {
  it("choose the wire format", () => {
    for (const [format, contentType] of [
      ["text", TEXT],
      ["binary", BINARY],
    ]) {
      FakeXhr.reset();
      new EchoCalls().noOp({ format, deadlineMs: null }, record());
      assert.equal(FakeXhr.request.requestHeaders["content-type"], contentType);
    }
  });

  it("become a timeout when there is a deadline, and none without", () => {
    const call = new EchoCalls().serverStreamingEcho(PLAN, { format: "text", deadlineMs: 90_000 }, record());
    const [, milliseconds] = /^(\d+)m$/.exec(FakeXhr.request.requestHeaders["grpc-timeout"]);
    assert.ok(milliseconds > 80_000 && milliseconds <= 90_000, milliseconds);
    call.cancel(); // stops the runtime's own timer
    FakeXhr.reset();
    new EchoCalls().serverStreamingEcho(PLAN, TEXT_MODE, record());
    assert.equal(FakeXhr.request.requestHeaders["grpc-timeout"], undefined);
  });
});
