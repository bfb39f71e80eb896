// @ts-check
"use strict";

/** Asks before something is done that cannot be undone, and shows whether it was done. */

const { failureText } = require("../rpc/violations.js");
const { byTestId, isEnabled, setPending } = require("./dom.js");

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} action What the button says.
 * @property {string} doing What it says meanwhile.
 * @property {(onEnd: (outcome: import("../rpc/status.js").Outcome) => void) => void} run Starts the call.
 */

/** The one `<dialog>` for questions. It stays open until the call has ended, and for its error. */
class ConfirmDialog {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    this.title = byTestId(dialog, "confirm-title", HTMLElement);
    this.text = byTestId(dialog, "confirm-text", HTMLElement);
    this.error = byTestId(dialog, "confirm-error", HTMLElement);
    this.yes = byTestId(dialog, "confirm-yes", HTMLButtonElement);
    /** @type {Question | null} */
    this.question = null;
    byTestId(dialog, "confirm-no", HTMLButtonElement).addEventListener("click", () => dialog.close());
    this.yes.addEventListener("click", () => this.run());
    dialog.addEventListener("close", () => (this.question = null));
  }

  /** @param {Question} question */
  ask(question) {
    this.question = question;
    this.title.textContent = question.title;
    this.text.textContent = question.text;
    this.error.textContent = "";
    setPending(this.yes, false, question.action);
    this.dialog.showModal();
  }

  run() {
    const { question } = this;
    if (!question || !isEnabled(this.yes)) return;
    this.error.textContent = "";
    setPending(this.yes, true, question.doing);
    question.run((outcome) => {
      if (this.question !== question) return; // closed meanwhile
      setPending(this.yes, false, question.action);
      if (outcome.code === 0) this.dialog.close();
      else this.error.textContent = failureText(outcome);
    });
  }
}

module.exports = { ConfirmDialog };
