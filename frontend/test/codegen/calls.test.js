"use strict";

/** What a unary method of a generated client does: the request that leaves, and what becomes of the answer. */

const assert = require("node:assert/strict");
const path = require("node:path");
const { beforeEach, describe, it } = require("node:test");
const { create, isMessage } = require("@bufbuild/protobuf");
const { RpcError, StatusCode } = require("grpc-web");
const { FakeXhr } = require("./fake-xhr.cjs");
const { generateFixtures } = require("./generate.cjs");
const { BINARY, HOST, OK, TEXT, answer, messageFrame, sentMessage, text, trailerFrame } = require("./server.cjs");

const folder = generateFixtures();
const load = (file) => require(path.join(folder, file));
const { KindsServiceClient, KindsServicePromiseClient } = load("shop/v1/kinds_grpc_web_pb.js");
const { KindsRequestSchema, KindsResponseSchema } = load("shop/v1/kinds_pb.js");
const reply = (value) => messageFrame(KindsResponseSchema, { text: value });

beforeEach(() => FakeXhr.reset());

describe("request", () => {
  it("goes to /package.Service/Method in text mode unless told otherwise", () => {
    new KindsServiceClient(HOST).unary({ text: "hi" }, { "x-colour": "red" }, () => {});
    const { method, url, requestHeaders } = FakeXhr.request;
    assert.equal(`${method} ${url}`, "POST https://shop.example/shop.v1.KindsService/Unary");
    assert.equal(requestHeaders["content-type"], TEXT);
    assert.equal(requestHeaders.accept, TEXT);
    assert.equal(requestHeaders["x-grpc-web"], "1");
    assert.equal(requestHeaders["x-colour"], "red");
    assert.equal(sentMessage(KindsRequestSchema).text, "hi");
  });

  it("goes in binary mode with format: 'binary'", () => {
    new KindsServicePromiseClient(HOST, null, { format: "binary" }).unary({ text: "hi" });
    assert.equal(FakeXhr.request.requestHeaders["content-type"], BINARY);
    assert.equal(sentMessage(KindsRequestSchema).text, "hi");
  });

  it("goes to the page's own origin for an empty host, and takes a host with slashes at its end", () => {
    new KindsServiceClient("").unary({}, null, () => {});
    new KindsServicePromiseClient(`${HOST}//`).download({});
    const urls = FakeXhr.requests.map((request) => request.url);
    assert.deepEqual(urls, ["/shop.v1.KindsService/Unary", "https://shop.example/shop.v1.KindsService/Download"]);
  });

  it("may be a created message", () => {
    const request = create(KindsRequestSchema, { text: "made" });
    new KindsServiceClient(HOST).unary(request, undefined, () => {});
    assert.equal(sentMessage(KindsRequestSchema).text, "made");
  });

  it("passes the options on to the runtime", () => {
    new KindsServiceClient(HOST, null, { withCredentials: true }).download({});
    assert.equal(FakeXhr.request.withCredentials, true);
  });

  it("is a message for interceptors, also when the caller gave a literal", async () => {
    const seen = [];
    const interceptor = {
      intercept(request, invoker) {
        seen.push([request.getMethodDescriptor().getName(), request.getRequestMessage()]);
        return invoker(request);
      },
    };
    const client = new KindsServicePromiseClient(HOST, null, { unaryInterceptors: [interceptor] });
    const promise = client.unary({ text: "seen" });
    answer(reply("yes"), OK);
    await promise;
    assert.equal(seen[0][0], "/shop.v1.KindsService/Unary");
    assert.ok(isMessage(seen[0][1], KindsRequestSchema));
  });
});

describe("unary response", () => {
  it("reaches the callback", () => {
    const results = [];
    new KindsServiceClient(HOST).unary({}, {}, (...result) => results.push(result));
    answer(reply("Grüße"), OK);
    assert.deepEqual(results, [[null, create(KindsResponseSchema, { text: "Grüße" })]]);
  });

  it("resolves the promise, in binary mode as well", async () => {
    const promise = new KindsServicePromiseClient(HOST, null, { format: "binary" }).unary({});
    FakeXhr.request.start(BINARY);
    FakeXhr.request.push(reply("one"));
    FakeXhr.request.push(OK);
    FakeXhr.request.finish();
    assert.deepEqual(await promise, create(KindsResponseSchema, { text: "one" }));
  });

  it("gives an error with code, message and metadata to the callback", () => {
    const results = [];
    new KindsServiceClient(HOST).unary({}, {}, (...result) => results.push(result));
    answer(trailerFrame("grpc-status: 5", "grpc-message: no%20item", "x-item: 7"));
    assert.equal(results.length, 1);
    const [error, response] = results[0];
    assert.equal(response, null);
    assert.equal(error.code, StatusCode.NOT_FOUND);
    assert.equal(error.message, "no item");
    assert.equal(error.metadata["x-item"], "7");
  });

  it("rejects the promise with an RpcError", async () => {
    const promise = new KindsServicePromiseClient(HOST).unary({});
    answer(trailerFrame("grpc-status: 7", "grpc-message: not%20yours", "x-item: 7"));
    await assert.rejects(promise, (error) => {
      assert.ok(error instanceof RpcError);
      assert.deepEqual([error.code, error.message], [StatusCode.PERMISSION_DENIED, "not yours"]);
      assert.equal(error.metadata["x-item"], "7");
      return true;
    });
  });

  it("rejects the promise when the status is in the headers", async () => {
    const promise = new KindsServicePromiseClient(HOST).unary({});
    FakeXhr.request.start(TEXT, { "grpc-status": "12", "grpc-message": "nobody%20home" });
    FakeXhr.request.finish();
    await assert.rejects(promise, { code: StatusCode.UNIMPLEMENTED, message: "nobody home" });
  });

  it("fails a call whose answer is no message of the type", async () => {
    const promise = new KindsServicePromiseClient(HOST).unary({});
    FakeXhr.request.start(TEXT);
    FakeXhr.request.push(text(Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x7f])));
    FakeXhr.request.finish();
    await assert.rejects(promise, { code: StatusCode.INTERNAL });
  });
});

describe("cancelling a unary call", () => {
  it("ends the request of a callback call", () => {
    const results = [];
    const call = new KindsServiceClient(HOST).unary({}, {}, (...result) => results.push(result));
    call.cancel();
    assert.equal(FakeXhr.request.aborted, true);
    answer(reply("late"), OK);
    assert.deepEqual(results, []);
  });

  it("rejects the promise with CANCELLED and the signal's reason", async () => {
    const controller = new AbortController();
    const promise = new KindsServicePromiseClient(HOST).unary({}, {}, { signal: controller.signal });
    controller.abort("changed my mind");
    assert.equal(FakeXhr.request.aborted, true);
    await assert.rejects(promise, { code: StatusCode.CANCELLED, cause: "changed my mind" });
  });

  it("sends nothing when the signal has been aborted before", async () => {
    const promise = new KindsServicePromiseClient(HOST).unary({}, {}, { signal: AbortSignal.abort() });
    await assert.rejects(promise, { code: StatusCode.CANCELLED });
    assert.deepEqual(FakeXhr.requests, []);
  });
});
