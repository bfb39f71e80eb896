"use strict";

/**
 * A stand-in for the browser's XMLHttpRequest. What belongs here: the behaviour of the browser that the runtime relies
 * on, and nothing about gRPC-Web.
 */

/** Records the request; the test gives the response piece by piece. */
class FakeXhr {
  /** @type {FakeXhr[]} The requests since `reset`, oldest first. */
  static requests = [];

  /** Puts the class in the place of the browser's and forgets earlier requests. */
  static reset() {
    globalThis.XMLHttpRequest = FakeXhr;
    FakeXhr.requests = [];
  }

  /** The only request since `reset`. */
  static get request() {
    if (FakeXhr.requests.length !== 1) {
      throw new Error(`expected one request, there are ${FakeXhr.requests.length}`);
    }
    return FakeXhr.requests[0];
  }

  constructor() {
    this.readyState = 0;
    this.status = 0;
    this.statusText = "";
    this.responseType = "";
    this.withCredentials = false;
    this.onreadystatechange = null;
    this.requestHeaders = {};
    this.responseHeaders = {};
    this.received = Buffer.alloc(0);
    this.aborted = false;
    FakeXhr.requests.push(this);
  }

  open(method, url) {
    Object.assign(this, { method, url, readyState: 1 });
  }

  setRequestHeader(name, value) {
    this.requestHeaders[name.toLowerCase()] = value;
  }

  send(body) {
    this.body = body;
  }

  abort() {
    this.aborted = true;
    this.readyState = 0;
  }

  getResponseHeader(name) {
    return this.responseHeaders[name.toLowerCase()] ?? null;
  }

  getAllResponseHeaders() {
    return Object.entries(this.responseHeaders)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
  }

  get responseText() {
    return this.received.toString("latin1");
  }

  /** As in a browser: text grows while it arrives, an array buffer appears when the response is complete. */
  get response() {
    if (this.responseType !== "arraybuffer") {
      return this.responseText;
    }
    return this.readyState === 4 ? new Uint8Array(this.received).buffer : null;
  }

  /** The test's part: response headers arrive. */
  start(contentType, headers = {}) {
    this.status = 200;
    this.responseHeaders = { "content-type": contentType, ...headers };
    this.#change(2);
  }

  /** The test's part: bytes of the body arrive. */
  push(bytes) {
    this.received = Buffer.concat([this.received, Buffer.from(bytes)]);
    this.#change(3);
  }

  /** The test's part: the response is complete. */
  finish() {
    this.#change(4);
  }

  #change(readyState) {
    if (!this.aborted) {
      this.readyState = readyState;
      this.onreadystatechange?.();
    }
  }
}

module.exports = { FakeXhr };
