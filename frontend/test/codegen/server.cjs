"use strict";

/**
 * Plays the server for a generated client: reads the one request that was sent and answers it. What belongs here:
 * gRPC-Web as a test speaks it.
 */

const assert = require("node:assert/strict");
const { create, fromBinary, toBinary } = require("@bufbuild/protobuf");
const { FakeXhr } = require("./fake-xhr.cjs");

const HOST = "https://shop.example";
const TEXT = "application/grpc-web-text";
const BINARY = "application/grpc-web+proto";

function frame(flags, payload) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flags, 0);
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

/** A frame with a message. */
const messageFrame = (schema, init) => frame(0, toBinary(schema, create(schema, init)));

/** A frame with trailers, given as lines without their line ends. */
const trailerFrame = (...lines) => frame(0x80, Buffer.from(lines.map((line) => `${line}\r\n`).join("")));

/** The trailers of a call that went well. */
const OK = trailerFrame("grpc-status: 0");

/** A frame as text mode has it. */
const text = (bytes) => Buffer.from(bytes.toString("base64"));

/** The message that was sent. Its frame must be the whole body. */
function sentMessage(schema) {
  const { body, requestHeaders } = FakeXhr.request;
  const bytes = requestHeaders["content-type"] === TEXT ? Buffer.from(body, "base64") : Buffer.from(body);
  assert.equal(bytes[0], 0, "flags of a message");
  assert.equal(bytes.readUInt32BE(1), bytes.length - 5, "length of the message");
  return fromBinary(schema, bytes.subarray(5));
}

/** Answers the request completely, in text mode. */
function answer(...frames) {
  FakeXhr.request.start(`${TEXT}+proto`);
  frames.forEach((bytes) => FakeXhr.request.push(text(bytes)));
  FakeXhr.request.finish();
}

module.exports = { BINARY, HOST, OK, TEXT, answer, messageFrame, sentMessage, text, trailerFrame };
