// @ts-check
"use strict";

/** The form for a new API token, and then its secret, which the page shows once and forgets when it is closed. */

const { failureText, fieldViolations } = require("../../rpc/violations.js");
const { TOKEN_FIELDS, readTokenDraft, tokenFieldOf } = require("../../users/tokens.js");
const { byTestId, find, isEnabled, setPending, setText } = require("../../view/dom.js");
const { FieldErrors } = require("../../view/field-errors.js");

/** @typedef {import("../../rpc/users.js").Token} Token */
/** @typedef {import("../../rpc/status.js").Outcome} Outcome */

const DEFAULT_DAYS = "30";

/** The `<dialog>`: first a form, after its call the secret. */
class TokenDialog {
  /**
   * @param {HTMLElement} root
   * @param {import("../../rpc/users.js").UserCalls} calls
   * @param {(token: Token) => void} onMade
   */
  constructor(root, calls, onMade) {
    this.calls = calls;
    this.onMade = onMade;
    this.dialog = byTestId(root, "token-dialog", HTMLDialogElement);
    this.form = byTestId(root, "token-form", HTMLFormElement);
    this.made = byTestId(root, "token-made", HTMLElement);
    this.secret = byTestId(root, "token-secret", HTMLInputElement);
    this.copy = byTestId(root, "token-copy", HTMLButtonElement);
    this.error = byTestId(root, "token-error", HTMLElement);
    this.save = byTestId(root, "token-save", HTMLButtonElement);
    this.name = find(root, "#token-name", HTMLInputElement);
    this.days = find(root, "#token-days", HTMLInputElement);
    this.errors = new FieldErrors(this.form, "token", TOKEN_FIELDS);
    /** @type {import("../../rpc/call.js").Call | null} */
    this.call = null;
    this.connect(root);
  }

  /** @param {HTMLElement} root */
  connect(root) {
    for (const id of ["token-close", "token-done"]) {
      byTestId(root, id, HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    }
    this.copy.addEventListener("click", () => this.copySecret());
    this.dialog.addEventListener("close", () => {
      this.call?.cancel();
      this.secret.value = "";
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (isEnabled(this.save)) this.submit();
    });
  }

  open() {
    this.form.hidden = false;
    this.made.hidden = true;
    this.name.value = "";
    this.days.value = DEFAULT_DAYS;
    this.errors.show([]);
    this.error.textContent = "";
    this.setPending(false);
    this.dialog.showModal();
  }

  submit() {
    const { values, errors } = readTokenDraft({ name: this.name.value, days: this.days.value });
    this.error.textContent = "";
    this.errors.show(errors);
    if (errors.length > 0) return;
    /** @type {{ token?: Token, secret: string } | undefined} */
    let answer;
    this.setPending(true);
    this.call = this.calls.createToken(values, {
      onMessage: (response) => (answer = response),
      onEnd: (outcome) => {
        this.call = null;
        if (outcome.origin === "client") return;
        this.setPending(false);
        if (outcome.code === 0 && answer?.token) this.show(answer.token, answer.secret);
        else this.fail(outcome);
      },
    });
  }

  /** @param {Outcome} outcome */
  fail(outcome) {
    const violations = fieldViolations(outcome).map(({ field, description }) => ({
      field: tokenFieldOf(field),
      description,
    }));
    const rest = this.errors.show(violations);
    this.error.textContent = violations.length > 0 ? rest.join(" ") : failureText(outcome);
  }

  /**
   * @param {Token} token
   * @param {string} secret
   */
  show(token, secret) {
    this.form.hidden = true;
    this.made.hidden = false;
    this.secret.value = secret;
    setText(this.copy, "Copy");
    this.secret.focus();
    this.selectSecret();
    this.onMade(token);
  }

  /** With its beginning in view, which is how the table names it. */
  selectSecret() {
    this.secret.select();
    this.secret.scrollLeft = 0;
  }

  async copySecret() {
    this.selectSecret();
    try {
      await navigator.clipboard.writeText(this.secret.value);
      setText(this.copy, "Copied");
    } catch {
      setText(this.copy, "Press Ctrl+C"); // no permission, or no secure connection: the text is selected
    }
  }

  /** @param {boolean} pending */
  setPending(pending) {
    setPending(this.save, pending, pending ? "Creating…" : "Create token");
  }
}

module.exports = { TokenDialog };
