// @ts-check
"use strict";

/**
 * What a servicer says of an error beyond code and message: `google.rpc.Status` in the trailing metadata. What belongs
 * here: from its bytes to the messages of google/rpc/error_details.proto.
 */

const { createRegistry, fromBinary, toJson } = require("@bufbuild/protobuf");
const { anyUnpack } = require("@bufbuild/protobuf/wkt");
const { base64Decode } = require("@bufbuild/protobuf/wire");
const { file_google_rpc_error_details } = require("../generated/google/rpc/error_details_pb.js");
const { StatusSchema } = require("../generated/google/rpc/status_pb.js");

/** The entry of the trailing metadata that has them. */
const STATUS_DETAILS = "grpc-status-details-bin";

const registry = createRegistry(file_google_rpc_error_details);

/**
 * One detail of an error.
 *
 * @typedef {object} ErrorDetail
 * @property {string} typeName Such as "google.rpc.BadRequest".
 * @property {import("@bufbuild/protobuf").Message | null} message Null for a type that this page does not know.
 * @property {string} json The message as JSON; empty where it is not known.
 */

/**
 * Gives the details of an error. What cannot be read is left out: the code and the message are there all the same.
 *
 * @param {string | undefined} value What `grpc-status-details-bin` holds, base64.
 * @returns {ErrorDetail[]}
 */
function errorDetails(value) {
  if (value === undefined) return [];
  try {
    return fromBinary(StatusSchema, base64Decode(value)).details.map(unpack);
  } catch {
    return [];
  }
}

/**
 * @param {import("@bufbuild/protobuf/wkt").Any} any
 * @returns {ErrorDetail}
 */
function unpack(any) {
  const typeName = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  const schema = registry.getMessage(typeName);
  const message = schema ? anyUnpack(any, registry) : undefined;
  if (!schema || !message) return { typeName, message: null, json: "" };
  return { typeName, message, json: JSON.stringify(toJson(schema, message)) };
}

module.exports = { STATUS_DETAILS, errorDetails };
