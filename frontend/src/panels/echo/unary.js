// @ts-check
"use strict";

/** The unary calls of the Echo panel. */

const { byTestId, find, setText } = require("../../view/dom.js");
const { formatMs } = require("../../view/format.js");
const { CallView } = require("../../view/call-view.js");
const { readFields } = require("../../view/integer-field.js");
const { CallGroup } = require("./call-group.js");
const { offerCodes } = require("./settings.js");

/** @typedef {import("../../rpc/echo.js").CallSettings} CallSettings */
/** @typedef {import("../../view/call-record.js").CallRecord} CallRecord */

/** The readout of the group: the response, and what all calls show. */
class UnaryView extends CallView {
  /** @param {HTMLElement} root */
  constructor(root) {
    super(root, "unary");
    this.empty = find(root, ".readout-empty", HTMLElement);
    this.responseBlock = find(root, ".response", HTMLElement);
    this.response = byTestId(root, "unary-response", HTMLElement);
  }

  begin() {
    this.empty.hidden = true;
    this.response.textContent = "";
    this.announce("");
  }

  /**
   * @param {CallRecord} record
   * @param {number} now
   */
  render(record, now) {
    super.render(record, now);
    const text = record.rows[0]?.text;
    this.responseBlock.hidden = text === undefined;
    setText(this.response, text ?? "");
  }

  /** @param {CallRecord} record */
  finish(record) {
    const { codeName = "", message = "" } = record.outcome ?? {};
    this.announce(`${record.plan.method} ${record.state}: ${codeName}. ${record.rows[0]?.text ?? message}`);
  }
}

/**
 * @param {HTMLElement} root
 * @param {import("../../rpc/echo.js").EchoCalls} calls
 * @param {import("./settings.js").Settings} settings
 * @returns {CallGroup}
 */
function connectUnary(root, calls, settings) {
  const message = byTestId(root, "echo-message", HTMLInputElement);
  const abortCode = byTestId(root, "abort-code", HTMLSelectElement);
  const abortMessage = byTestId(root, "abort-message", HTMLInputElement);
  const group = new CallGroup(new UnaryView(root), byTestId(root, "unary-cancel", HTMLButtonElement));
  offerCodes(abortCode, "NOT_FOUND");

  /**
   * @param {string} form
   * @param {string} method
   * @param {(plan: import("../../view/call-record.js").CallPlan, settings: CallSettings) => void} call
   */
  const onSubmit = (form, method, call) =>
    find(root, form, HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const values = readFields({ deadlineMs: settings.deadline });
      if (!values) return;
      const plan = { method, path: settings.path(), streaming: false, plannedMs: 0, deadlineMs: values.deadlineMs };
      call(plan, { format: settings.format(), deadlineMs: values.deadlineMs });
    });

  onSubmit("#echo-form", "Echo", (plan, callSettings) =>
    group.start(
      plan,
      (observer) => calls.echo({ message: message.value }, callSettings, observer),
      (response) => response.message,
    ),
  );
  onSubmit("#abort-form", "EchoAbort", (plan, callSettings) => {
    const request = { code: Number(abortCode.value), message: abortMessage.value };
    group.start(
      plan,
      (observer) => calls.echoAbort(request, callSettings, observer),
      () => "",
    );
  });
  onSubmit("#noop-form", "NoOp", (plan, callSettings) =>
    group.start(
      plan,
      (observer) => calls.noOp(callSettings, observer),
      (_, record, now) => `Empty message, round trip ${formatMs(record.elapsedMs(now))}`,
    ),
  );
  return group;
}

module.exports = { connectUnary };
