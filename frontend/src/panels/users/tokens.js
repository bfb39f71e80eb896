// @ts-check
"use strict";

/** The caller's API tokens: a table of those that are good, and where they are made and revoked. */

const { failureText } = require("../../rpc/violations.js");
const { tokenWords } = require("../../users/tokens.js");
const { buttonElement, byTestId, find, setText, textElement } = require("../../view/dom.js");
const { TokenDialog } = require("./token-dialog.js");

/** @typedef {import("../../rpc/users.js").Token} Token */

const LABELS = { name: "Name", prefix: "Begins with", created: "Created", expires: "Expires", used: "Last used" };

/** The table; what it lists is the server's, asked anew after each change. */
class TokenListView {
  /**
   * @param {HTMLElement} root
   * @param {import("../../rpc/users.js").UserCalls} calls
   * @param {import("../../view/confirm-dialog.js").ConfirmDialog} confirm
   */
  constructor(root, calls, confirm) {
    this.calls = calls;
    this.confirm = confirm;
    this.box = byTestId(root, "tokens", HTMLElement);
    this.rows = byTestId(root, "token-rows", HTMLElement);
    this.note = byTestId(root, "tokens-note", HTMLElement);
    this.retry = byTestId(root, "tokens-retry", HTMLButtonElement);
    this.create = byTestId(root, "token-new", HTMLButtonElement);
    this.announcement = byTestId(root, "users-announcement", HTMLElement);
    /** @type {import("../../rpc/call.js").Call | null} */
    this.call = null;
    this.dialog = new TokenDialog(root, calls, (token) => {
      this.announce(`The token ${token.name} is made`);
      this.load();
    });
    this.create.addEventListener("click", () => this.dialog.open());
    this.retry.addEventListener("click", () => this.load());
  }

  load() {
    this.call?.cancel();
    this.box.setAttribute("aria-busy", "true");
    /** @type {Token[]} */
    let tokens = [];
    this.call = this.calls.listTokens({
      onMessage: (response) => ({ tokens } = response),
      onEnd: (outcome) => {
        if (outcome.origin === "client") return;
        this.call = null;
        this.box.setAttribute("aria-busy", "false");
        if (outcome.code === 0) this.render(tokens);
        else this.show("failed", failureText(outcome));
      },
    });
  }

  /** @param {Token[]} tokens */
  render(tokens) {
    this.rows.replaceChildren(...tokens.map((token) => this.row(token)));
    this.show(tokens.length > 0 ? "ready" : "empty", "No tokens. Programs that call as you need one.");
  }

  /**
   * @param {"ready" | "empty" | "failed"} state
   * @param {string} text
   */
  show(state, text) {
    this.box.dataset.state = state;
    this.note.hidden = state === "ready";
    this.retry.hidden = state !== "failed";
    setText(find(this.note, "p", HTMLElement), text);
  }

  /** @param {Token} token */
  row(token) {
    const row = document.createElement("tr");
    row.dataset.tokenId = token.id;
    const words = tokenWords(token);
    for (const field of /** @type {const} */ (["name", "prefix", "created", "expires", "used"])) {
      const cell = document.createElement(field === "name" ? "th" : "td");
      if (field === "name") cell.scope = "row";
      cell.append(field === "prefix" ? textElement("code", words.prefix) : words[field]);
      cell.dataset.cell = field;
      cell.dataset.label = LABELS[field];
      row.append(cell);
    }
    const actions = document.createElement("td");
    actions.className = "actions";
    const options = { testId: "token-revoke", className: "quiet", label: `Revoke ${token.name}` };
    actions.append(buttonElement("Revoke", options, () => this.askToRevoke(token)));
    row.append(actions);
    return row;
  }

  /** @param {Token} token */
  askToRevoke(token) {
    this.confirm.ask({
      title: "Revoke this token?",
      text: `Programs that use ${token.name} are refused from the next call on. This cannot be undone.`,
      action: "Revoke",
      doing: "Revoking…",
      run: (onEnd) => {
        this.calls.revokeToken(token.id, {
          onMessage: () => {},
          onEnd: (outcome) => {
            onEnd(outcome);
            if (outcome.code !== 0) return;
            this.announce(`The token ${token.name} is revoked`);
            this.load();
            this.create.focus();
          },
        });
      },
    });
  }

  /** @param {string} text */
  announce(text) {
    setText(this.announcement, text);
  }
}

module.exports = { TokenListView };
