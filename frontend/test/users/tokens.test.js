"use strict";

/** The words for API tokens, and the form for a new one. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { create } = require("@bufbuild/protobuf");
const { TokenSchema } = require("../../src/generated/users/v1/users_pb.js");
const { TOKEN_FIELDS, readTokenDraft, tokenFieldOf, tokenWords } = require("../../src/users/tokens.js");

const noon = (day) => ({ seconds: BigInt(Date.UTC(2026, 10, day, 12) / 1000), nanos: 0 });
const token = (more = {}) =>
  create(TokenSchema, {
    id: "1",
    name: "a phone",
    prefix: "18Z1vm4p",
    createdAt: noon(2),
    expiresAt: noon(9),
    ...more,
  });

describe("a token in words", () => {
  it("says what it is for, how its secret begins, and its times", () => {
    assert.deepEqual(tokenWords(token()), {
      name: "a phone",
      prefix: "18Z1vm4p…",
      created: "2 Nov 2026",
      expires: "9 Nov 2026",
      used: "never",
    });
  });

  it("says when it was used last, to the minute", () => {
    assert.match(tokenWords(token({ lastUsedAt: noon(3) })).used, /^3 Nov, \d\d:00$/);
  });
});

describe("the form of a new token", () => {
  it("gives what to send", () => {
    const { values, errors } = readTokenDraft({ name: " a phone ", days: " 7 " });
    assert.deepEqual(values, { name: "a phone", lifetimeDays: 7 });
    assert.deepEqual(errors, []);
  });

  for (const days of ["", "0", "-1", "1.5", "a week", "99999999999"]) {
    it(`does not send ${JSON.stringify(days)} days`, () => {
      assert.deepEqual(
        readTokenDraft({ name: "", days }).errors.map(({ field }) => field),
        ["days"],
      );
    });
  }

  it("leaves to the server what it refuses, and shows it at the field", () => {
    assert.deepEqual(readTokenDraft({ name: "", days: "366" }).errors, []);
    assert.deepEqual(["name", "lifetime_days"].map(tokenFieldOf), [...TOKEN_FIELDS]);
    assert.equal(tokenFieldOf("something"), "something");
  });
});
