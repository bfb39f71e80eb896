"use strict";

/** From an account to a form and back. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { create } = require("@bufbuild/protobuf");
const { changedFields, draftOf, fieldOfPath, readDraft } = require("../../src/users/draft.js");
const { wordsOf } = require("../../src/users/words.js");
const { UserRole, UserSchema, UserStatus } = require("../../src/generated/users/v1/users_pb.js");

const ADA = create(UserSchema, {
  id: "7",
  email: "ada@example.com",
  name: "Ada",
  age: 36,
  roles: [UserRole.STAFF, UserRole.CUSTOMER],
  status: UserStatus.ACTIVE,
  metadata: { z: "last", a: "first" },
});

describe("a draft", () => {
  it("shows the account, its metadata in order", () => {
    const draft = draftOf(ADA);
    assert.equal(draft.age, "36");
    assert.deepEqual(draft.metadata, [
      ["a", "first"],
      ["z", "last"],
    ]);
    assert.deepEqual(changedFields(draft, draftOf(ADA)), []);
  });

  it("is an active customer for a new account", () => {
    const { values, errors } = readDraft(draftOf(null));
    assert.deepEqual(errors, []);
    assert.deepEqual([values.roles, values.status, values.age], [[UserRole.CUSTOMER], UserStatus.ACTIVE, undefined]);
  });

  for (const [change, fields] of [
    [{ name: "Ada L." }, ["name"]],
    [{ age: "" }, ["age"]],
    [{ age: "037" }, ["age"]],
    [{ roles: [UserRole.CUSTOMER, UserRole.STAFF] }, []],
    [{ roles: [] }, ["roles"]],
    [{ metadata: [["a", "first"]] }, ["metadata"]],
    [
      {
        metadata: [
          ["z", "last"],
          ["a", "first"],
          ["", ""],
        ],
      },
      [],
    ],
    [{ email: "x@example.com", status: UserStatus.SUSPENDED }, ["email", "status"]],
  ]) {
    it(`differs in ${fields.join(" and ") || "nothing"} after ${JSON.stringify(change)}`, () => {
      assert.deepEqual(changedFields(draftOf(ADA), { ...draftOf(ADA), ...change }), fields);
    });
  }

  for (const [change, field] of [
    [{ age: "old" }, "age"],
    [{ age: "99999999999" }, "age"],
    [{ metadata: [["", "value"]] }, "metadata"],
    [
      {
        metadata: [
          ["a", "1"],
          ["a", "2"],
        ],
      },
      "metadata",
    ],
  ]) {
    it(`is refused at ${field} for ${JSON.stringify(change)}`, () => {
      const { errors } = readDraft({ ...draftOf(ADA), ...change });
      assert.deepEqual(
        errors.map((error) => error.field),
        [field],
      );
    });
  }

  it("leaves to the server what a message can carry", () => {
    const { values, errors } = readDraft({ ...draftOf(ADA), email: "none", age: " -5 " });
    assert.deepEqual([errors, values.age], [[], -5]);
  });
});

describe("a path of the request", () => {
  it("names the field of the form", () => {
    assert.equal(fieldOfPath("user.age"), "age");
    assert.equal(fieldOfPath("user.metadata"), "metadata");
    assert.equal(fieldOfPath("update_mask"), "update_mask");
  });
});

describe("the words for an account", () => {
  it("leave nothing blank", () => {
    const empty = wordsOf(create(UserSchema, { email: "x@example.com" }));
    assert.deepEqual([empty.name, empty.age, empty.roles, empty.since], ["–", "–", "–", "–"]);
    assert.equal(wordsOf(ADA).roles, "Staff, Customer");
  });
});
