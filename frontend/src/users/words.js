// @ts-check
"use strict";

/** The words that people read for what an account holds. */

const { UserRole, UserStatus } = require("../generated/users/v1/users_pb.js");
const { dateOf, formatDay } = require("../view/format.js");

/** @typedef {import("../rpc/users.js").User} User */

/** @type {Readonly<Record<number, string>>} */
const ROLES = Object.freeze({ [UserRole.CUSTOMER]: "Customer", [UserRole.STAFF]: "Staff" });

/** @type {Readonly<Record<number, string>>} */
const STATUSES = Object.freeze({ [UserStatus.ACTIVE]: "Active", [UserStatus.SUSPENDED]: "Suspended" });

const NOTHING = "–";

/**
 * Gives what an account holds, field by field, as a label and a text; metadata as entries.
 *
 * @param {User} user
 */
function wordsOf(user) {
  return {
    email: user.email,
    name: user.name || NOTHING,
    age: user.age === undefined ? NOTHING : String(user.age),
    roles: user.roles.map((role) => ROLES[role] ?? `Role ${role}`).join(", ") || NOTHING,
    status: STATUSES[user.status] ?? `Status ${user.status}`,
    metadata: Object.entries(user.metadata).sort(([a], [b]) => (a < b ? -1 : 1)),
    since: formatDay(dateOf(user.createdAt)),
  };
}

module.exports = { NOTHING, wordsOf };
