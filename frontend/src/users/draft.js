// @ts-check
"use strict";

/**
 * An account as it stands in the form. What belongs here: from an account to a draft, and from a draft to what is sent.
 * Only what no message could carry is checked here; the rules are the server's, which names the field.
 */

const { UserRole, UserStatus } = require("../generated/users/v1/users_pb.js");
const { readInteger } = require("../view/integer.js");

/** @typedef {import("../rpc/users.js").User} User */

/** The fields that a person sees, in the order of the form. */
const FIELDS = Object.freeze(["email", "name", "age", "roles", "status", "metadata"]);

/** What everybody may change of their own account. */
const OWN_FIELDS = Object.freeze(["name", "age", "metadata"]);

const INT32_MAX = 2 ** 31 - 1;

/**
 * @typedef {object} Draft
 * @property {string} email
 * @property {string} name
 * @property {string} age As it was typed.
 * @property {UserRole[]} roles
 * @property {UserStatus} status
 * @property {[key: string, value: string][]} metadata
 */

/** @typedef {{ field: string, description: string }} FieldError */

/**
 * @param {User | null} user Null for a new one.
 * @returns {Draft}
 */
function draftOf(user) {
  if (!user) {
    return { email: "", name: "", age: "", roles: [UserRole.CUSTOMER], status: UserStatus.ACTIVE, metadata: [] };
  }
  const { email, name, age, roles, status } = user;
  const metadata = Object.entries(user.metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  return { email, name, age: age === undefined ? "" : String(age), roles, status, metadata };
}

/**
 * Gives what to send, or what is wrong.
 *
 * @param {Draft} draft
 */
function readDraft({ email, name, age, roles, status, metadata }) {
  /** @type {FieldError[]} */
  const errors = [];
  const number = readInteger(age, { min: -INT32_MAX, max: INT32_MAX, optional: true });
  if (number.error) errors.push({ field: "age", description: "Empty, or a whole number" });
  const entries = metadata.filter(([key, value]) => key !== "" || value !== "");
  if (entries.some(([key]) => key === "")) errors.push({ field: "metadata", description: "Each value needs a key." });
  if (new Set(entries.map(([key]) => key)).size < entries.length) {
    errors.push({ field: "metadata", description: "Each key can be there once." });
  }
  const values = { email, name, age: number.value ?? undefined, roles, status, metadata: Object.fromEntries(entries) };
  return { values, errors };
}

/**
 * Gives the names of the fields, as the contract has them, in which two drafts differ.
 *
 * @param {Draft} before
 * @param {Draft} after
 */
function changedFields(before, after) {
  /** @type {(draft: Draft) => Record<string, unknown>} */
  const comparable = (draft) => ({
    ...readDraft(draft).values,
    age: draft.age.trim(),
    roles: [...draft.roles].sort(),
    metadata: draft.metadata.filter(([key]) => key !== "").sort(([a], [b]) => (a < b ? -1 : 1)),
  });
  const [old, now] = [comparable(before), comparable(after)];
  return FIELDS.filter((field) => JSON.stringify(old[field]) !== JSON.stringify(now[field]));
}

/**
 * Gives the field of the form that a path in the request is about: "age" for `user.age`. Others stay as they are.
 *
 * @param {string} path
 */
function fieldOfPath(path) {
  const [, field] = /^user\.(\w+)/.exec(path) ?? [];
  return field ?? path;
}

module.exports = { FIELDS, OWN_FIELDS, changedFields, draftOf, fieldOfPath, readDraft };
