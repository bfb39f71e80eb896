// @ts-check
"use strict";

/** The form in which an account is made or changed. It stays open until the server has taken it over. */

const { failureText, fieldViolations } = require("../../rpc/violations.js");
const { FIELDS, OWN_FIELDS, changedFields, draftOf, fieldOfPath, readDraft } = require("../../users/draft.js");
const { buttonElement, byTestId, find, isEnabled, setPending, textElement } = require("../../view/dom.js");
const { FieldErrors } = require("../../view/field-errors.js");

/** @typedef {import("../../rpc/users.js").User} User */
/** @typedef {import("../../rpc/users.js").UserCalls} UserCalls */
/** @typedef {import("../../users/draft.js").Draft} Draft */
/** @typedef {import("../../rpc/status.js").Outcome} Outcome */

const ALREADY_EXISTS = 6;

/** The `<dialog>` of the panel. Who is no staff has only the fields that they may change. */
class UserDialog {
  /**
   * @param {HTMLElement} root
   * @param {UserCalls} calls
   * @param {boolean} isStaff
   * @param {(user: User, isNew: boolean) => void} onSaved
   */
  constructor(root, calls, isStaff, onSaved) {
    this.calls = calls;
    this.isStaff = isStaff;
    this.onSaved = onSaved;
    this.dialog = byTestId(root, "user-dialog", HTMLDialogElement);
    this.form = byTestId(root, "user-form", HTMLFormElement);
    this.heading = find(root, "#user-dialog-heading", HTMLElement);
    this.error = byTestId(root, "user-error", HTMLElement);
    this.save = byTestId(root, "user-save", HTMLButtonElement);
    this.entries = byTestId(root, "metadata-rows", HTMLElement);
    this.errors = new FieldErrors(this.form, "user", isStaff ? FIELDS : OWN_FIELDS);
    /** @type {User | null} */
    this.user = null;
    /** @type {import("../../rpc/call.js").Call | null} */
    this.call = null;
    byTestId(root, "user-close", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    byTestId(root, "metadata-add", HTMLButtonElement).addEventListener("click", () => this.addEntry("", "", true));
    this.dialog.addEventListener("close", () => this.call?.cancel());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (isEnabled(this.save)) this.submit();
    });
  }

  /** @param {User | null} user Null for a new one. */
  open(user) {
    this.user = user;
    this.heading.textContent = user ? `Edit ${user.email}` : "New user";
    this.fill(draftOf(user));
    this.errors.show([]);
    this.error.textContent = "";
    this.setPending(false);
    this.dialog.showModal();
  }

  /** @param {string} name */
  control(name) {
    return /** @type {HTMLInputElement | HTMLSelectElement} */ (find(this.form, `#user-${name}`, HTMLElement));
  }

  /** @returns {HTMLInputElement[]} */
  get roleBoxes() {
    return [...this.form.querySelectorAll("#user-roles input")].filter((box) => box instanceof HTMLInputElement);
  }

  /** @param {Draft} draft */
  fill(draft) {
    this.control("name").value = draft.name;
    this.control("age").value = draft.age;
    this.entries.replaceChildren();
    for (const [key, value] of draft.metadata) this.addEntry(key, value, false);
    if (!this.isStaff) return;
    this.control("email").value = draft.email;
    this.control("status").value = String(draft.status);
    for (const box of this.roleBoxes) box.checked = draft.roles.includes(Number(box.value));
  }

  /** @returns {Draft} */
  read() {
    const rows = [...this.entries.children].map((row) =>
      [...row.querySelectorAll("input")].map((input) => input.value),
    );
    const own = {
      name: this.control("name").value,
      age: this.control("age").value,
      metadata: rows.map(([key = "", value = ""]) => /** @type {[string, string]} */ ([key.trim(), value])),
    };
    if (!this.isStaff) return { ...draftOf(this.user), ...own };
    return {
      ...own,
      email: this.control("email").value.trim(),
      roles: this.roleBoxes.filter((box) => box.checked).map((box) => Number(box.value)),
      status: Number(this.control("status").value),
    };
  }

  /**
   * @param {string} key
   * @param {string} value
   * @param {boolean} focus Whether a person has asked for it.
   */
  addEntry(key, value, focus) {
    const row = textElement("div", "");
    row.className = "entry";
    row.dataset.testid = "metadata-row";
    const [keyInput, valueInput] = [entryInput("Key", key), entryInput("Value", value)];
    const remove = buttonElement(
      "Remove",
      { testId: "metadata-remove", className: "quiet", label: "Remove entry" },
      () => {
        row.remove();
        byTestId(this.form, "metadata-add", HTMLButtonElement).focus();
      },
    );
    row.append(keyInput, valueInput, remove);
    this.entries.append(row);
    if (focus) keyInput.focus();
  }

  submit() {
    const draft = this.read();
    const { values, errors } = readDraft(draft);
    this.error.textContent = "";
    if (errors.length > 0) {
      this.errors.show(errors);
      return;
    }
    const { user } = this;
    const fields = user ? changedFields(draftOf(user), draft) : FIELDS;
    if (fields.length === 0) {
      this.dialog.close();
      return;
    }
    /** @type {User | undefined} */
    let saved;
    /** @type {import("../../rpc/call.js").CallObserver<{ user?: User }>} */
    const observer = {
      onMessage: (response) => (saved = response.user),
      onEnd: (outcome) => this.finish(outcome, saved),
    };
    this.setPending(true);
    this.call = user
      ? this.calls.updateUser({ id: user.id, ...values }, [...fields], observer)
      : this.calls.createUser(values, observer);
  }

  /**
   * @param {Outcome} outcome
   * @param {User | undefined} saved
   */
  finish(outcome, saved) {
    this.call = null;
    if (outcome.origin === "client") return;
    this.setPending(false);
    if (outcome.code === 0 && saved) {
      const isNew = this.user === null;
      this.dialog.close();
      this.onSaved(saved, isNew);
      return;
    }
    const violations = fieldViolations(outcome).map(({ field, description }) => ({
      field: fieldOfPath(field),
      description,
    }));
    if (outcome.code === ALREADY_EXISTS) violations.push({ field: "email", description: outcome.message });
    const rest = this.errors.show(violations);
    this.error.textContent = violations.length > 0 ? rest.join(" ") : failureText(outcome);
  }

  /** @param {boolean} pending */
  setPending(pending) {
    setPending(this.save, pending, pending ? "Saving…" : this.user ? "Save" : "Create user");
  }
}

/**
 * @param {string} name
 * @param {string} value
 */
function entryInput(name, value) {
  const input = document.createElement("input");
  input.type = "text";
  input.autocomplete = "off";
  input.placeholder = name;
  input.setAttribute("aria-label", name);
  input.value = value;
  return input;
}

module.exports = { UserDialog };
