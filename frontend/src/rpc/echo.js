// @ts-check
"use strict";

/**
 * The calls of the echo service, as the page makes them. What belongs here: from plain values to a request, and to the
 * client of the chosen wire format.
 */

const { durationFromMs } = require("@bufbuild/protobuf/wkt");
const { EchoServiceClient } = require("../generated/echo/v1/echo_grpc_web_pb.js");
const { deadlineMetadata, startStream, startUnary } = require("./call.js");
const { OWN_ORIGIN, clientsFor } = require("./path.js");

/** @typedef {import("./call.js").Call} Call */
/** @typedef {import("../generated/echo/v1/echo_pb.js").EchoResponse} EchoResponse */
/** @typedef {import("../generated/echo/v1/echo_pb.js").EchoAbortResponse} EchoAbortResponse */
/** @typedef {import("../generated/echo/v1/echo_pb.js").NoOpResponse} NoOpResponse */
/** @typedef {import("../generated/echo/v1/echo_pb.js").ServerStreamingEchoResponse} StreamedEcho */
/** @typedef {import("../generated/echo/v1/echo_pb.js").ServerStreamingEchoAbortResponse} StreamedEchoBeforeAbort */

/**
 * @template M
 * @typedef {import("./call.js").CallObserver<M>} CallObserver
 */

/**
 * @typedef {"text" | "binary"} WireFormat "text" hands over the messages of a stream as they arrive, "binary" all of
 *   them at the end.
 */

/**
 * What a call takes besides its request.
 *
 * @typedef {object} CallSettings
 * @property {WireFormat} format
 * @property {number | null} deadlineMs Milliseconds that the call may take; null for no deadline.
 */

/**
 * @typedef {object} StreamPlan
 * @property {string} message
 * @property {number} messageCount
 * @property {number} intervalMs Milliseconds between two messages.
 */

/** Calls `echo.v1.EchoService`. There is a client for each wire format, because a client has one for its life. */
class EchoCalls {
  /** @param {import("./path.js").Destination} [destination] */
  constructor(destination = OWN_ORIGIN) {
    this.clients = clientsFor(destination, (hostname, options) => ({
      text: new EchoServiceClient(hostname, null, { ...options, format: "text" }),
      binary: new EchoServiceClient(hostname, null, { ...options, format: "binary" }),
    }));
  }

  /**
   * @param {{ message: string }} request
   * @param {CallSettings} settings
   * @param {CallObserver<EchoResponse>} observer
   * @returns {Call}
   */
  echo(request, { format, deadlineMs }, observer) {
    return startUnary(
      (callback) => this.clients()[format].echo(request, deadlineMetadata(deadlineMs), callback),
      observer,
    );
  }

  /**
   * @param {{ code: number, message: string }} request
   * @param {CallSettings} settings
   * @param {CallObserver<EchoAbortResponse>} observer
   * @returns {Call}
   */
  echoAbort(request, { format, deadlineMs }, observer) {
    return startUnary(
      (callback) => this.clients()[format].echoAbort(request, deadlineMetadata(deadlineMs), callback),
      observer,
    );
  }

  /**
   * @param {CallSettings} settings
   * @param {CallObserver<NoOpResponse>} observer
   * @returns {Call}
   */
  noOp({ format, deadlineMs }, observer) {
    return startUnary((callback) => this.clients()[format].noOp({}, deadlineMetadata(deadlineMs), callback), observer);
  }

  /**
   * @param {StreamPlan} plan
   * @param {CallSettings} settings
   * @param {CallObserver<StreamedEcho>} observer
   * @returns {Call}
   */
  serverStreamingEcho({ message, messageCount, intervalMs }, { format, deadlineMs }, observer) {
    const request = { message, messageCount, messageInterval: durationFromMs(intervalMs) };
    return startStream(
      () => this.clients()[format].serverStreamingEcho(request, deadlineMetadata(deadlineMs)),
      observer,
    );
  }

  /**
   * @param {StreamPlan & { code: number }} plan
   * @param {CallSettings} settings
   * @param {CallObserver<StreamedEchoBeforeAbort>} observer
   * @returns {Call}
   */
  serverStreamingEchoAbort({ message, messageCount, intervalMs, code }, { format, deadlineMs }, observer) {
    const request = { message, messageCount, messageInterval: durationFromMs(intervalMs), code };
    return startStream(
      () => this.clients()[format].serverStreamingEchoAbort(request, deadlineMetadata(deadlineMs)),
      observer,
    );
  }
}

module.exports = { EchoCalls };
