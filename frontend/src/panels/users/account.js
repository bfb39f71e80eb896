// @ts-check
"use strict";

/** The caller's own account, for those who are no staff. */

const { failureText } = require("../../rpc/violations.js");
const { wordsOf } = require("../../users/words.js");
const { byTestId, isEnabled, setEnabled, textElement } = require("../../view/dom.js");
const { entryList } = require("./entry-list.js");
const { UserDialog } = require("./user-dialog.js");

/** @typedef {import("../../rpc/users.js").User} User */

/** A card with what the account holds, and a button to change some of it. */
class AccountView {
  /**
   * @param {HTMLElement} root
   * @param {import("../../rpc/users.js").UserCalls} calls
   */
  constructor(root, calls) {
    this.calls = calls;
    this.card = byTestId(root, "account-card", HTMLElement);
    this.note = byTestId(root, "account-note", HTMLElement);
    this.facts = byTestId(root, "account-facts", HTMLElement);
    this.edit = byTestId(root, "account-edit", HTMLButtonElement);
    this.announcement = byTestId(root, "users-announcement", HTMLElement);
    /** @type {User | null} */
    this.user = null;
    this.dialog = new UserDialog(root, calls, false, (user) => {
      this.announcement.textContent = "Your account is saved";
      this.render(user);
    });
    this.edit.addEventListener("click", () => {
      if (!isEnabled(this.edit)) return;
      if (this.user) this.dialog.open(this.user);
      else this.load();
    });
  }

  load() {
    this.card.setAttribute("aria-busy", "true");
    this.calls.getCurrentUser({
      onMessage: ({ user }) => user && this.render(user),
      onEnd: (outcome) => {
        this.card.setAttribute("aria-busy", "false");
        if (outcome.code !== 0) this.fail(failureText(outcome));
      },
    });
  }

  /** @param {string} text */
  fail(text) {
    if (this.user) return; // what was loaded before is still worth seeing
    this.card.dataset.state = "failed";
    this.note.textContent = text;
    this.edit.textContent = "Try again";
    setEnabled(this.edit, true);
  }

  /** @param {User} user */
  render(user) {
    this.user = user;
    const words = wordsOf(user);
    const facts = /** @type {const} */ ([
      ["E-mail", words.email],
      ["Name", words.name],
      ["Age", words.age],
      ["Roles", words.roles],
      ["Status", words.status],
      ["Metadata", entryList(words.metadata)],
      ["Since", words.since],
    ]);
    this.facts.replaceChildren(
      ...facts.map(([name, value]) => {
        const fact = document.createElement("div");
        const description = document.createElement("dd");
        description.append(value);
        description.dataset.cell = name.toLowerCase();
        fact.append(textElement("dt", name), description);
        return fact;
      }),
    );
    this.card.dataset.state = "ready";
    this.note.hidden = true;
    this.facts.hidden = false;
    this.edit.textContent = "Edit";
    setEnabled(this.edit, true);
  }
}

module.exports = { AccountView };
