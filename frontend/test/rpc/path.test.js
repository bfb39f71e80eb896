"use strict";

/** Which origin calls go to, and who remembers it. */

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { CallPaths, clientsFor } = require("../../src/rpc/path.js");

const DJANGO = "http://127.0.0.1:8000";
const ENVOY = "http://127.0.0.1:8080";
const ORIGINS = { "in-process": DJANGO, envoy: ENVOY };

/** A browser's storage, which keeps what it is given. */
function memory(kept = {}) {
  return () => ({ getItem: (key) => kept[key] ?? null, setItem: (key, value) => (kept[key] = value) });
}

const refused = () => {
  throw new Error("storage is off");
};

describe("the way of a page's calls", () => {
  for (const [page, current, hasChoice] of [
    [DJANGO, "in-process", true],
    [ENVOY, "envoy", true],
    ["http://localhost:8000", "in-process", false],
    ["http://localhost:8080", "envoy", false],
    ["https://example.com", "in-process", false],
  ]) {
    it(`is ${current} at ${page}${hasChoice ? "" : ", and cannot be chosen"}`, () => {
      const paths = new CallPaths(ORIGINS, page, memory());
      assert.deepEqual([paths.current, paths.hostname, paths.hasChoice], [current, "", hasChoice]);
    });
  }

  it("is in-process where there is no other", () => {
    const paths = new CallPaths(null, DJANGO, memory({ path: "envoy" }));
    paths.choose("envoy");
    assert.deepEqual([paths.current, paths.hostname, paths.hasChoice], ["in-process", "", false]);
  });

  it("is the origin itself where ports tell nothing", () => {
    const origins = { "in-process": "https://a.example.com", envoy: "https://b.example.com" };
    assert.equal(new CallPaths(origins, "https://b.example.com", memory()).current, "envoy");
    assert.equal(new CallPaths(origins, "https://c.example.com", memory()).current, "in-process");
  });

  it("is the other origin once it is chosen, and its own again", () => {
    const paths = new CallPaths(ORIGINS, DJANGO, memory());
    const seen = [];
    paths.onChange(() => seen.push(paths.hostname));
    paths.choose("envoy");
    paths.choose("envoy");
    paths.choose("in-process");
    assert.deepEqual(seen, [ENVOY, ""]);
    const back = new CallPaths(ORIGINS, ENVOY, memory());
    back.choose("in-process");
    assert.equal(back.hostname, DJANGO);
  });

  it("is remembered", () => {
    const kept = {};
    new CallPaths(ORIGINS, DJANGO, memory(kept)).choose("envoy");
    assert.equal(new CallPaths(ORIGINS, DJANGO, memory(kept)).hostname, ENVOY);
  });

  it("is not remembered where it cannot be chosen, nor when it is none", () => {
    assert.equal(new CallPaths(ORIGINS, "http://localhost:8000", memory({ path: "envoy" })).current, "in-process");
    assert.equal(new CallPaths(ORIGINS, DJANGO, memory({ path: "by pigeon" })).current, "in-process");
  });

  it("lasts as long as the page where a browser refuses storage", () => {
    const paths = new CallPaths(ORIGINS, DJANGO, refused);
    paths.choose("envoy");
    assert.equal(paths.hostname, ENVOY);
  });
});

describe("clientsFor", () => {
  it("makes one client for each origin, and gives the cookie to others only", () => {
    const made = [];
    const paths = new CallPaths(ORIGINS, DJANGO, memory());
    const client = clientsFor(paths, (hostname, options) => made.push({ hostname, ...options }) && made.at(-1));
    const own = client();
    paths.choose("envoy");
    const other = client();
    paths.choose("in-process");
    assert.deepEqual([client(), made.length], [own, 2]);
    assert.deepEqual(own, { hostname: "", withCredentials: false });
    assert.deepEqual(other, { hostname: ENVOY, withCredentials: true });
  });
});
