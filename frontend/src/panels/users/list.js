// @ts-check
"use strict";

/** All users, for staff: a table that is searched and paged, and where they are made, changed and deleted. */

const { failureText } = require("../../rpc/violations.js");
const { Listing } = require("../../users/listing.js");
const { wordsOf } = require("../../users/words.js");
const { buttonElement, byTestId, find, isEnabled, setEnabled, setText, textElement } = require("../../view/dom.js");
const { formatCount, plural } = require("../../view/format.js");
const { entryList } = require("./entry-list.js");
const { UserDialog } = require("./user-dialog.js");

/** @typedef {import("../../rpc/users.js").User} User */

const LABELS = { email: "E-mail", name: "Name", age: "Age", roles: "Roles", status: "Status" };

/** The view of a `Listing`. */
class UserListView {
  /**
   * @param {HTMLElement} root
   * @param {import("../../rpc/users.js").UserCalls} calls
   * @param {import("../../view/confirm-dialog.js").ConfirmDialog} confirm
   */
  constructor(root, calls, confirm) {
    this.calls = calls;
    this.confirm = confirm;
    this.listing = new Listing(
      (request, observer) => calls.listUsers(request, observer),
      () => this.render(),
    );
    this.dialog = new UserDialog(root, calls, true, (user, isNew) => this.saved(user, isNew));
    this.box = byTestId(root, "users-list", HTMLElement);
    this.rows = byTestId(root, "users-rows", HTMLElement);
    this.note = byTestId(root, "users-note", HTMLElement);
    this.retry = byTestId(root, "users-retry", HTMLButtonElement);
    this.range = byTestId(root, "users-range", HTMLElement);
    this.previous = byTestId(root, "users-previous", HTMLButtonElement);
    this.next = byTestId(root, "users-next", HTMLButtonElement);
    this.search = byTestId(root, "users-search", HTMLInputElement);
    this.announcement = byTestId(root, "users-announcement", HTMLElement);
    /** @type {unknown} The page that stands in the table. */
    this.rendered = null;
    this.announcedFilter = "";
    /** @type {string} The user that was saved last. */
    this.savedId = "";
    this.connect(root);
  }

  /** @param {HTMLElement} root */
  connect(root) {
    const { listing } = this;
    this.search.addEventListener("input", () => listing.search(this.search.value.trim()));
    this.retry.addEventListener("click", () => listing.load());
    byTestId(root, "users-new", HTMLButtonElement).addEventListener("click", () => this.dialog.open(null));
    this.previous.addEventListener("click", () => isEnabled(this.previous) && listing.previous());
    this.next.addEventListener("click", () => isEnabled(this.next) && listing.next());
  }

  render() {
    const { listing } = this;
    const { page, failure, isLoading } = listing;
    const state = failure ? "failed" : !page ? "loading" : page.users.length === 0 ? "empty" : "ready";
    this.box.dataset.state = state;
    this.box.setAttribute("aria-busy", String(isLoading));
    setEnabled(this.previous, listing.hasPrevious);
    setEnabled(this.next, listing.hasNext);
    this.renderNote(state);
    if (isLoading || !page) return;
    if (this.rendered !== page) {
      this.rendered = page;
      this.rows.replaceChildren(...page.users.map((user) => this.row(user)));
      this.savedId = "";
    }
    const first = listing.before + 1;
    const last = listing.before + page.users.length;
    setText(
      this.range,
      last < first ? "" : `${formatCount(first)}–${formatCount(last)} of ${formatCount(page.totalSize)}`,
    );
    if (failure || this.announcedFilter === listing.filter) return;
    this.announcedFilter = listing.filter;
    this.announce(`${plural(page.totalSize, "user")} found`);
  }

  /** @param {string} state */
  renderNote(state) {
    const { failure, filter } = this.listing;
    const text = find(this.note, "p", HTMLElement);
    this.note.hidden = state === "ready";
    this.retry.hidden = state !== "failed";
    if (state === "failed" && failure) setText(text, failureText(failure));
    if (state === "empty")
      setText(text, filter ? `No user has “${filter}” in the e-mail address or the name.` : "No users yet.");
    if (state === "loading") setText(text, "Loading users…");
  }

  /** @param {User} user */
  row(user) {
    const row = document.createElement("tr");
    row.dataset.userId = user.id;
    if (user.id === this.savedId) row.classList.add("changed");
    const words = wordsOf(user);
    for (const field of /** @type {const} */ (["email", "name", "age", "roles", "status"])) {
      const cell = textElement(field === "email" ? "th" : "td", words[field]);
      if (cell instanceof HTMLTableCellElement && field === "email") cell.scope = "row";
      cell.dataset.cell = field;
      cell.dataset.label = LABELS[field];
      if (field === "age") cell.className = "figure";
      if (field === "status") cell.dataset.value = words.status.toLowerCase();
      row.append(cell);
    }
    const metadata = document.createElement("td");
    metadata.dataset.cell = "metadata";
    metadata.dataset.label = "Metadata";
    metadata.append(entryList(words.metadata));
    const since = textElement("td", words.since);
    since.dataset.cell = "since";
    since.dataset.label = "Since";
    const actions = document.createElement("td");
    actions.className = "actions";
    actions.append(
      buttonElement("Edit", { testId: "user-edit", className: "quiet", label: `Edit ${user.email}` }, () =>
        this.dialog.open(user),
      ),
      buttonElement("Delete", { testId: "user-delete", className: "quiet", label: `Delete ${user.email}` }, () =>
        this.askToDelete(user),
      ),
    );
    row.append(metadata, since, actions);
    return row;
  }

  /** @param {User} user */
  askToDelete(user) {
    this.confirm.ask({
      title: "Delete this user?",
      text: `${user.email} and all tokens of the account will be gone. This cannot be undone.`,
      action: "Delete",
      doing: "Deleting…",
      run: (onEnd) => {
        this.calls.deleteUser(user.id, {
          onMessage: () => {},
          onEnd: (outcome) => {
            onEnd(outcome);
            if (outcome.code !== 0) return;
            this.announce(`${user.email} is deleted`);
            this.listing.load();
            this.search.focus();
          },
        });
      },
    });
  }

  /**
   * @param {User} user
   * @param {boolean} isNew
   */
  saved(user, isNew) {
    this.savedId = user.id;
    this.announce(`${user.email} is ${isNew ? "created" : "saved"}`);
    this.listing.load();
  }

  /** @param {string} text */
  announce(text) {
    setText(this.announcement, text);
  }
}

module.exports = { UserListView };
