"use strict";

/** Paging and searching: what is asked, and whose answer is seen. */

const assert = require("node:assert/strict");
const { afterEach, beforeEach, describe, it, mock } = require("node:test");
const { Listing, PAGE_SIZE, SEARCH_DELAY_MS } = require("../../src/users/listing.js");

const OK = { code: 0, origin: "server" };
const FAILED = { code: 14, origin: "server" };

/** @type {Listing} */
let listing;
let calls;
let changes;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  calls = [];
  changes = 0;
  listing = new Listing(
    (request, observer) => {
      const call = { request, observer, isCancelled: false };
      calls.push(call);
      return {
        cancel() {
          call.isCancelled = true;
          observer.onEnd({ code: 1, origin: "client" });
        },
      };
    },
    () => (changes += 1),
  );
});

afterEach(() => mock.timers.reset());

function answer(call, names, nextPageToken = "") {
  call.observer.onMessage({ users: names.map((id) => ({ id })), nextPageToken, totalSize: 99 });
  call.observer.onEnd(OK);
}

const shown = () => listing.page.users.map(({ id }) => id);

describe("paging", () => {
  it("goes forth and back by tokens", () => {
    listing.load();
    assert.deepEqual(calls[0].request, { pageSize: PAGE_SIZE, pageToken: "", filter: "" });
    assert.equal(listing.isLoading, true);
    answer(calls[0], ["a"], "p2");
    assert.deepEqual([listing.hasNext, listing.hasPrevious, listing.before], [true, false, 0]);
    listing.next();
    assert.deepEqual([calls[1].request.pageToken, listing.hasNext], ["p2", false]);
    answer(calls[1], ["b"]);
    assert.deepEqual([listing.hasNext, listing.hasPrevious, listing.before], [false, true, PAGE_SIZE]);
    listing.next();
    assert.equal(calls.length, 2);
    listing.previous();
    assert.equal(calls[2].request.pageToken, "");
  });

  it("goes back when the last page is empty by now", () => {
    listing.load();
    answer(calls[0], ["a"], "p2");
    listing.next();
    answer(calls[1], []);
    assert.equal(calls[2].request.pageToken, "");
    answer(calls[2], ["a"]);
    assert.deepEqual(shown(), ["a"]);
  });

  it("keeps the old page to be seen beside a failure, and asks again", () => {
    listing.load();
    answer(calls[0], ["a"]);
    listing.load();
    calls[1].observer.onEnd(FAILED);
    assert.deepEqual([shown(), listing.failure, listing.isLoading], [["a"], FAILED, false]);
    listing.load();
    assert.equal(listing.failure, null);
  });
});

describe("searching", () => {
  it("waits until nothing is typed for a moment, and begins at the first page", () => {
    listing.load();
    answer(calls[0], ["a"], "p2");
    listing.next();
    answer(calls[1], ["b"]);
    for (const text of ["a", "ad", "ada"]) {
      listing.search(text);
      mock.timers.tick(SEARCH_DELAY_MS - 1);
    }
    assert.equal(calls.length, 2);
    mock.timers.tick(1);
    assert.deepEqual(calls[2].request, { pageSize: PAGE_SIZE, pageToken: "", filter: "ada" });
  });

  it("asks nothing when the text is as it was", () => {
    listing.load();
    listing.search("a");
    listing.search("");
    mock.timers.tick(SEARCH_DELAY_MS);
    assert.equal(calls.length, 1);
  });

  it("cancels an older search, whose answer is never seen", () => {
    listing.load();
    listing.search("ada");
    mock.timers.tick(SEARCH_DELAY_MS);
    assert.equal(calls[0].isCancelled, true);
    answer(calls[1], ["ada"]);
    assert.deepEqual(shown(), ["ada"]);
    const before = changes;
    calls[0].observer.onEnd(OK);
    assert.equal(changes, before);
  });
});
