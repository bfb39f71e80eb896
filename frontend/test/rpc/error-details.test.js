"use strict";

/** From the bytes in the trailing metadata to what a servicer said of an error. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { create, toBinary } = require("@bufbuild/protobuf");
const { anyPack } = require("@bufbuild/protobuf/wkt");
const { base64Encode } = require("@bufbuild/protobuf/wire");
const { BadRequestSchema, ErrorInfoSchema } = require("../../src/generated/google/rpc/error_details_pb.js");
const { StatusSchema } = require("../../src/generated/google/rpc/status_pb.js");
const { STATUS_DETAILS, errorDetails } = require("../../src/rpc/error-details.js");
const { outcomeOf } = require("../../src/rpc/outcome.js");

const violation = { field: "name", description: "is needed" };
const badRequest = create(BadRequestSchema, { fieldViolations: [violation] });
const errorInfo = create(ErrorInfoSchema, { reason: "WHY", domain: "example.com" });

/**
 * @param {import("@bufbuild/protobuf/wkt").Any[]} details
 * @param {"std" | "std_raw"} encoding Padded or, as servers should write it, not.
 */
function encoded(details, encoding = "std_raw") {
  return base64Encode(toBinary(StatusSchema, create(StatusSchema, { code: 3, details })), encoding);
}

describe("errorDetails", () => {
  it("gives each detail with its type, in order", () => {
    const details = [anyPack(BadRequestSchema, badRequest), anyPack(ErrorInfoSchema, errorInfo)];
    for (const encoding of /** @type {const} */ (["std", "std_raw"])) {
      const [first, second, ...others] = errorDetails(encoded(details, encoding));
      assert.deepEqual(others, []);
      assert.equal(first.typeName, "google.rpc.BadRequest");
      assert.deepEqual(first.message, badRequest);
      assert.equal(first.json, '{"fieldViolations":[{"field":"name","description":"is needed"}]}');
      assert.equal(second.typeName, "google.rpc.ErrorInfo");
      assert.equal(second.json, '{"reason":"WHY","domain":"example.com"}');
    }
  });

  it("names a type that the page does not know", () => {
    const any = { ...anyPack(ErrorInfoSchema, errorInfo), typeUrl: "type.googleapis.com/shop.v1.SoldOut" };
    assert.deepEqual(errorDetails(encoded([any])), [{ typeName: "shop.v1.SoldOut", message: null, json: "" }]);
  });

  it("gives none where there are none, or none that can be read", () => {
    for (const value of [undefined, "", encoded([]), "!!!", "AAEC", "CgV0cnVuYw"]) {
      assert.deepEqual(errorDetails(value), [], value);
    }
    const broken = { ...anyPack(ErrorInfoSchema, errorInfo), value: Uint8Array.of(10, 200) };
    assert.deepEqual(errorDetails(encoded([broken])), []);
  });
});

describe("outcomeOf", () => {
  it("shows status details as such, and not among the trailing metadata", () => {
    const metadata = { [STATUS_DETAILS]: encoded([anyPack(BadRequestSchema, badRequest)]), other: "x" };
    const outcome = outcomeOf({ code: 3, message: "no", metadata });
    assert.deepEqual(
      outcome.details.map((detail) => detail.typeName),
      ["google.rpc.BadRequest"],
    );
    assert.deepEqual(outcome.trailers, [["other", "x"]]);
  });
});
