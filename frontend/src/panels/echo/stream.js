// @ts-check
"use strict";

/** The streaming calls of the Echo panel. */

const { byTestId, find } = require("../../view/dom.js");
const { IntegerField, readFields } = require("../../view/integer-field.js");
const { CallGroup } = require("./call-group.js");
const { StreamView } = require("./stream-view.js");
const { offerCodes } = require("./settings.js");

const PLAIN = "ServerStreamingEcho";
const ABORTING = "ServerStreamingEchoAbort";

/**
 * Gives how long a stream is going to take: there is no pause before its first message.
 *
 * @param {number} messageCount
 * @param {number} intervalMs
 */
function plannedMs(messageCount, intervalMs) {
  return Math.max(0, messageCount - 1) * Math.max(0, intervalMs);
}

/**
 * Gives the number in a field that may not be right yet.
 *
 * @param {IntegerField} field
 */
function typed(field) {
  return field.input.valueAsNumber || 0;
}

/**
 * The checkbox that decides between the two methods.
 *
 * @param {HTMLElement} root
 */
function connectAbortChoice(root) {
  const checkbox = byTestId(root, "stream-abort", HTMLInputElement);
  const select = byTestId(root, "stream-abort-code", HTMLSelectElement);
  const heading = find(root, "[data-method]", HTMLElement);
  const update = () => {
    select.disabled = !checkbox.checked;
    heading.textContent = checkbox.checked ? ABORTING : PLAIN;
  };
  offerCodes(select, "RESOURCE_EXHAUSTED");
  checkbox.addEventListener("change", update);
  update(); // a browser may restore the checkbox when the page is reloaded
  return () => (checkbox.checked ? Number(select.value) : null);
}

/**
 * @param {HTMLElement} root
 * @param {import("../../rpc/echo.js").EchoCalls} calls
 * @param {import("./settings.js").Settings} settings
 * @returns {CallGroup}
 */
function connectStream(root, calls, settings) {
  const message = byTestId(root, "stream-message", HTMLInputElement);
  const fields = {
    messageCount: new IntegerField(byTestId(root, "stream-count", HTMLInputElement)),
    intervalMs: new IntegerField(byTestId(root, "stream-interval", HTMLInputElement)),
    deadlineMs: settings.deadline,
  };
  const abortCode = connectAbortChoice(root);
  const view = new StreamView(root);
  const group = new CallGroup(view, byTestId(root, "stream-cancel", HTMLButtonElement));
  const form = find(root, "#stream-form", HTMLFormElement);
  const preview = () => view.timeline.preview(plannedMs(typed(fields.messageCount), typed(fields.intervalMs)));
  form.addEventListener("input", preview);
  preview();

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = readFields(fields);
    if (!values) return;
    const { deadlineMs } = values;
    const messageCount = Number(values.messageCount);
    const intervalMs = Number(values.intervalMs);
    const request = { message: message.value, messageCount, intervalMs };
    const callSettings = { format: settings.format(), deadlineMs };
    const code = abortCode();
    const method = code === null ? PLAIN : ABORTING;
    view.format = callSettings.format;
    const planned = plannedMs(messageCount, intervalMs);
    group.start(
      { method, path: settings.path(), streaming: true, plannedMs: planned, deadlineMs },
      (observer) =>
        code === null
          ? calls.serverStreamingEcho(request, callSettings, observer)
          : calls.serverStreamingEchoAbort({ ...request, code }, callSettings, observer),
      (/** @type {{ message: string }} */ response) => response.message,
    );
  });
  return group;
}

module.exports = { connectStream };
