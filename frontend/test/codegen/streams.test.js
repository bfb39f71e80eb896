"use strict";

/** What a server streaming method of a generated client does, from its first message to its end. */

const assert = require("node:assert/strict");
const { getEventListeners } = require("node:events");
const path = require("node:path");
const { beforeEach, describe, it } = require("node:test");
const { FakeXhr } = require("./fake-xhr.cjs");
const { generateFixtures } = require("./generate.cjs");
const { BINARY, HOST, OK, TEXT, answer, messageFrame, sentMessage, text, trailerFrame } = require("./server.cjs");

const folder = generateFixtures();
const load = (file) => require(path.join(folder, file));
const { KindsServiceClient, KindsServicePromiseClient } = load("shop/v1/kinds_grpc_web_pb.js");
const { KindsRequestSchema, KindsResponseSchema } = load("shop/v1/kinds_pb.js");
const reply = (value) => messageFrame(KindsResponseSchema, { text: value });

/** All that a stream says, in order. */
function record(stream) {
  const events = [];
  stream.on("data", (message) => events.push(message.text));
  stream.on("error", (error) => events.push(`error ${error.code} ${error.message}`));
  stream.on("end", () => events.push("end"));
  return events;
}

beforeEach(() => FakeXhr.reset());

for (const Client of [KindsServiceClient, KindsServicePromiseClient]) {
  describe(`stream of ${Client.name}`, () => {
    it("delivers each message when its bytes are there, in text mode", () => {
      const events = record(new Client(HOST).download({ text: "go" }));
      assert.equal(sentMessage(KindsRequestSchema).text, "go");
      FakeXhr.request.start(TEXT);
      FakeXhr.request.push(text(reply("one")));
      assert.deepEqual(events, ["one"]);
      const second = text(reply("two"));
      FakeXhr.request.push(second.subarray(0, 7));
      assert.deepEqual(events, ["one"]);
      FakeXhr.request.push(second.subarray(7));
      assert.deepEqual(events, ["one", "two"]);
      FakeXhr.request.push(text(OK));
      FakeXhr.request.finish();
      assert.deepEqual(events, ["one", "two", "end"]);
    });

    it("delivers all messages at the end, in binary mode", () => {
      const events = record(new Client(HOST, null, { format: "binary" }).download({}));
      FakeXhr.request.start(BINARY);
      FakeXhr.request.push(Buffer.concat([reply("one"), reply("two")]));
      assert.deepEqual(events, []);
      FakeXhr.request.push(OK);
      FakeXhr.request.finish();
      assert.deepEqual(events, ["one", "two", "end"]);
    });

    it("reports an error after the messages before it", () => {
      const events = record(new Client(HOST).download({}));
      answer(reply("one"), trailerFrame("grpc-status: 10", "grpc-message: stop"));
      assert.deepEqual(events.slice(0, 2), ["one", "error 10 stop"]);
    });

    it("is silent after cancel", () => {
      const stream = new Client(HOST).download({});
      const events = record(stream);
      FakeXhr.request.start(TEXT);
      FakeXhr.request.push(text(reply("one")));
      stream.cancel();
      FakeXhr.request.push(text(reply("two")));
      assert.equal(FakeXhr.request.aborted, true);
      assert.deepEqual(events, ["one"]);
    });

    it("is silent after its signal is aborted", () => {
      const controller = new AbortController();
      const events = record(new Client(HOST).download({}, {}, { signal: controller.signal }));
      FakeXhr.request.start(TEXT);
      FakeXhr.request.push(text(reply("one")));
      assert.equal(FakeXhr.request.aborted, false);
      controller.abort();
      FakeXhr.request.push(text(reply("two")));
      assert.equal(FakeXhr.request.aborted, true);
      assert.deepEqual(events, ["one"]);
    });

    it("is never opened when its signal has been aborted before", () => {
      const stream = new Client(HOST).download({}, {}, { signal: AbortSignal.abort() });
      const events = record(stream.on("status", () => {}));
      stream.removeListener("status", () => {});
      stream.cancel();
      assert.deepEqual(FakeXhr.requests, []);
      assert.deepEqual(events, []);
    });

    it("lets go of its signal when it ends", () => {
      const { signal } = new AbortController();
      new Client(HOST).download({}, {}, { signal });
      assert.equal(getEventListeners(signal, "abort").length, 1);
      answer(OK);
      assert.equal(getEventListeners(signal, "abort").length, 0);
    });

    it("lets go of its signal when it fails without an end", () => {
      const { signal } = new AbortController();
      const events = record(new Client(HOST).download({}, {}, { signal }));
      FakeXhr.request.start(TEXT, { "grpc-status": "13", "grpc-message": "broken" });
      FakeXhr.request.finish();
      assert.deepEqual(events, ["error 13 broken"]);
      assert.equal(getEventListeners(signal, "abort").length, 0);
    });
  });
}
