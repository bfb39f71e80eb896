// @ts-check
"use strict";

/** The settings that apply to the next call of either group: wire format, deadline and way. */

const { CODE_NAMES } = require("../../rpc/status.js");
const { byTestId } = require("../../view/dom.js");
const { IntegerField } = require("../../view/integer-field.js");

const NOTES = {
  text:
    "Text: frames in base64. Messages of a stream are handed over as they arrive; a browser reports new bytes every 50 ms " +
    "at most.",
  binary:
    "Binary: a quarter smaller. A browser gives grpc-web a binary answer only as a whole, so all messages of a stream " +
    "are handed over at its end.",
};

/**
 * @typedef {object} Settings
 * @property {IntegerField} deadline
 * @property {() => import("../../rpc/echo.js").WireFormat} format
 * @property {() => import("../../rpc/path.js").PathName} path
 */

/**
 * @param {HTMLElement} root
 * @param {import("../../rpc/path.js").CallPaths} paths
 * @returns {Settings}
 */
function connectSettings(root, paths) {
  const binary = byTestId(root, "wire-binary", HTMLInputElement);
  const text = byTestId(root, "wire-text", HTMLInputElement);
  const note = byTestId(root, "wire-note", HTMLElement);
  /** @returns {import("../../rpc/echo.js").WireFormat} */
  const format = () => (binary.checked ? "binary" : "text");
  const describe = () => (note.textContent = NOTES[format()]);
  for (const radio of [text, binary]) radio.addEventListener("change", describe);
  describe();
  const deadline = new IntegerField(byTestId(root, "deadline", HTMLInputElement));
  return { deadline, format, path: () => paths.current };
}

/**
 * Offers all status codes that a call can be aborted with.
 *
 * @param {HTMLSelectElement} select
 * @param {string} chosen
 */
function offerCodes(select, chosen) {
  const options = CODE_NAMES.map((name, code) => new Option(`${code} ${name}`, String(code)));
  select.replaceChildren(...options.slice(1)); // OK is not an error
  select.value = String(CODE_NAMES.indexOf(chosen));
}

module.exports = { connectSettings, offerCodes };
