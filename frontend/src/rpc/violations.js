// @ts-check
"use strict";

/**
 * What an outcome says of single fields and things. What belongs here: picking it out of the status details, so that a
 * view can show it where it belongs.
 */

const { isMessage } = require("@bufbuild/protobuf");
const { BadRequestSchema, PreconditionFailureSchema } = require("../generated/google/rpc/error_details_pb.js");

/** @typedef {import("./status.js").Outcome} Outcome */

/**
 * Gives what is wrong with fields of the request: of each the path and a sentence.
 *
 * @param {Outcome} outcome
 * @returns {{ field: string, description: string }[]}
 */
function fieldViolations({ details }) {
  return details.flatMap(({ message }) =>
    message && isMessage(message, BadRequestSchema) ? message.fieldViolations : [],
  );
}

/**
 * Gives what stands against the request in the state of things: of each what it is about and a sentence.
 *
 * @param {Outcome} outcome
 * @returns {{ subject: string, description: string }[]}
 */
function preconditionViolations({ details }) {
  return details.flatMap(({ message }) =>
    message && isMessage(message, PreconditionFailureSchema) ? message.violations : [],
  );
}

/**
 * Says in a sentence how a call failed, for a place where there is no room for more.
 *
 * @param {Outcome} outcome
 */
function failureText({ origin, codeName, message }) {
  if (origin === "connection") return "No whole answer came from the server. It may be tried again.";
  return message || codeName;
}

module.exports = { failureText, fieldViolations, preconditionViolations };
