"use strict";

/** From the library's errors to one outcome, and from an outcome to a hint. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { StatusCode } = require("grpc-web");
const { deadlineMetadata } = require("../../src/rpc/call.js");
const { hintFor } = require("../../src/rpc/hints.js");
const { cancelledHere, endedWithoutStatus, outcomeOf, pushbackMs } = require("../../src/rpc/outcome.js");
const { CODE_NAMES, codeName } = require("../../src/rpc/status.js");

describe("status codes", () => {
  it("have the numbers that grpc-web knows", () => {
    assert.deepEqual(Object.fromEntries(CODE_NAMES.map((name, code) => [name, code])), { ...StatusCode });
  });

  it("have a name even when gRPC does not define them", () => {
    assert.equal(codeName(4), "DEADLINE_EXCEEDED");
    assert.equal(codeName(99), "CODE_99");
  });
});

describe("outcomeOf", () => {
  it("takes errors and statuses alike, with or without metadata", () => {
    const expected = { code: 13, codeName: "INTERNAL", message: "oh", details: [], trailers: [], origin: "server" };
    assert.deepEqual(outcomeOf({ code: 13, message: "oh" }), expected);
    assert.deepEqual(outcomeOf({ code: 13, details: "oh", metadata: {} }), expected);
  });

  it("leaves out what is no trailing metadata", () => {
    const metadata = {
      "Content-Type": "application/grpc-web",
      "grpc-status": "5",
      "grpc-message": "x",
      "grpc-accept-encoding": "identity, deflate, gzip",
      "access-control-allow-origin": "http://127.0.0.1:8000",
      "a-bin": "AAE=",
      "grpc-status-of-somebody-else": "0",
    };
    assert.deepEqual(outcomeOf({ code: 5, message: "x", metadata }).trailers, [
      ["a-bin", "AAE="],
      ["grpc-status-of-somebody-else", "0"],
    ]);
  });

  it("tells a failed connection from a failed request", () => {
    assert.equal(
      outcomeOf({ code: 2, message: "Http response at 400 or 500 level, http status code: 0" }).origin,
      "connection",
    );
    assert.equal(
      outcomeOf({ code: 14, message: "Http response at 400 or 500 level, http status code: 503" }).origin,
      "server",
    );
  });
});

describe("pushbackMs", () => {
  it("is what the server says, if that is a time", () => {
    const asked = (value) => pushbackMs(outcomeOf({ code: 14, metadata: { "Grpc-Retry-Pushback-Ms": value } }));
    assert.deepEqual(["0", "1500"].map(asked), [0, 1500]);
    assert.deepEqual(["-1", "", "soon", "1.5", "9".repeat(10)].map(asked), [null, null, null, null, null]);
    assert.equal(pushbackMs(outcomeOf({ code: 14 })), null);
  });
});

describe("hintFor", () => {
  it("has a sentence for each code but OK", () => {
    for (const [code, name] of CODE_NAMES.entries()) {
      const hint = hintFor(outcomeOf({ code, message: "m" }), 0);
      assert.equal(/^[A-Z].*[.?]$/.test(hint), code !== 0, name);
    }
  });

  it("says nothing about what the reader did", () => {
    assert.equal(hintFor(cancelledHere(), 3), "");
  });

  it("tells a server that never answered from a stream that broke off", () => {
    assert.match(hintFor(endedWithoutStatus(), 0), /Is it running\?/);
    assert.match(hintFor(endedWithoutStatus(), 3), /did arrive/);
  });
});

describe("deadlineMetadata", () => {
  it("is a point in time", () => {
    assert.deepEqual(deadlineMetadata(250, 1000), { deadline: "1250" });
    assert.deepEqual(deadlineMetadata(null, 1000), {});
  });
});
