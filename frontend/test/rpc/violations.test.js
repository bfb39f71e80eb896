"use strict";

/** What status details say of fields and things. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { create } = require("@bufbuild/protobuf");
const { failureText, fieldViolations, preconditionViolations } = require("../../src/rpc/violations.js");
const {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
} = require("../../src/generated/google/rpc/error_details_pb.js");

const detail = (schema, init) => ({ typeName: schema.typeName, message: create(schema, init), json: "" });

const DETAILS = [
  detail(ErrorInfoSchema, { reason: "R" }),
  { typeName: "unknown.Type", message: null, json: "" },
  detail(BadRequestSchema, { fieldViolations: [{ field: "user.age", description: "too old" }] }),
  detail(PreconditionFailureSchema, { violations: [{ type: "STOCK", subject: "products/1", description: "none" }] }),
];

describe("violations", () => {
  it("are found among other details", () => {
    const [field] = fieldViolations({ details: DETAILS });
    assert.deepEqual([field.field, field.description], ["user.age", "too old"]);
    const [precondition] = preconditionViolations({ details: DETAILS });
    assert.deepEqual([precondition.subject, precondition.description], ["products/1", "none"]);
  });

  it("are none where there are no details", () => {
    assert.deepEqual([fieldViolations({ details: [] }), preconditionViolations({ details: [] })], [[], []]);
  });
});

describe("a failure", () => {
  it("is told in the server's words, or by its name, or as what it is", () => {
    assert.equal(failureText({ origin: "server", codeName: "ABORTED", message: "too late" }), "too late");
    assert.equal(failureText({ origin: "server", codeName: "ABORTED", message: "" }), "ABORTED");
    assert.match(failureText({ origin: "connection", codeName: "UNKNOWN", message: "x" }), /^No whole answer/);
  });
});
