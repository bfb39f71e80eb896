"use strict";

/** Following a stream for ever: breaks, waits, resume tokens. Time and chance are the test's. */

const assert = require("node:assert/strict");
const { beforeEach, describe, it } = require("node:test");
const { LONGEST_WAIT_MS, RECYCLE_AFTER, STEADY_MS, waitMs } = require("../../src/orders/reconnect.js");
const { World } = require("./world.cjs");

const BROKEN = { code: 2, origin: "connection", trailers: [] };
const UNAVAILABLE = { code: 14, origin: "server", trailers: [] };
const OUT_OF_RANGE = { code: 11, origin: "server", trailers: [] };
const UNAUTHENTICATED = { code: 16, origin: "server", trailers: [] };

/** How a stream ends whose server shuts down, and says when it will be back. */
function sentAway(ms) {
  return { ...UNAVAILABLE, trailers: [["grpc-retry-pushback-ms", String(ms)]] };
}

/** @type {World} */
let world;

beforeEach(() => (world = new World()));

describe("following", () => {
  it("lists, streams from the list's token on, and is live with the first message", () => {
    world.follower.start();
    assert.equal(world.newest.kind, "load");
    world.list("t0");
    assert.deepEqual([world.newest.kind, world.newest.token], ["open", "t0"]);
    world.send("t1");
    world.send("t2");
    assert.deepEqual(world.messages, ["t1", "t2"]);
    assert.deepEqual(world.states, ["connecting", "live"]);
  });

  it("begins once, however often it is started", () => {
    world.follower.start();
    world.follower.start();
    world.follower.wake();
    assert.equal(world.calls.length, 1);
  });

  it("goes on after a break from the last token, without a list", () => {
    world.goLive();
    world.send("t2");
    world.newest.fail(BROKEN);
    assert.equal(world.follower.state, "waiting");
    world.pass(1000);
    assert.deepEqual([world.newest.kind, world.newest.token], ["open", "t2"]);
    world.send("t3");
    assert.equal(world.follower.state, "live");
    assert.equal(world.follower.failure, null);
  });

  it("lists again after a failed list", () => {
    world.follower.start();
    world.newest.fail(UNAVAILABLE);
    world.pass(1000);
    assert.deepEqual([world.newest.kind, world.calls.length], ["load", 2]);
  });

  it("lists anew at once when the token is too old, and from then on waits between attempts", () => {
    world.goLive();
    world.newest.fail(OUT_OF_RANGE);
    world.pass(0);
    assert.equal(world.newest.kind, "load");
    world.list("t9");
    assert.equal(world.newest.token, "t9");
    world.newest.fail(OUT_OF_RANGE);
    world.pass(0);
    assert.equal(world.follower.state, "waiting");
    assert.ok(world.follower.retryAt > world.time);
  });

  it("gives up where the caller is not welcome, until it is started again", () => {
    world.goLive();
    world.newest.fail(UNAUTHENTICATED);
    assert.equal(world.follower.state, "refused");
    assert.equal(world.follower.failure, UNAUTHENTICATED);
    assert.equal(world.timers.size, 0);
    world.follower.wake();
    assert.equal(world.follower.state, "refused");
    world.follower.start();
    assert.equal(world.follower.state, "connecting");
  });

  it("begins a new call after many messages, because a browser keeps them all", () => {
    world.goLive();
    for (let number = 2; number <= RECYCLE_AFTER; number += 1) world.send(`t${number}`);
    assert.deepEqual([world.newest.kind, world.newest.token], ["open", `t${RECYCLE_AFTER}`]);
    assert.equal(world.running.length, 1);
    world.send("next");
    assert.equal(world.messages.length, RECYCLE_AFTER + 1);
  });
});

describe("waiting", () => {
  it("doubles, up to a limit, and leaves half of it to chance", () => {
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6, 50].map((failures) => waitMs(failures, 1)),
      [1000, 2000, 4000, 8000, 16_000, LONGEST_WAIT_MS, LONGEST_WAIT_MS],
    );
    assert.deepEqual([waitMs(1, 0), waitMs(2, 0.5)], [500, 1500]);
  });

  it("grows while nothing gets better", () => {
    world.goLive();
    for (const ms of [1000, 2000, 4000]) {
      world.newest.fail(BROKEN);
      assert.equal(world.follower.retryAt, world.time + ms);
      world.pass(ms);
      world.send("again"); // and breaks at once
    }
  });

  it("is short again after a stream that lasted", () => {
    world.goLive();
    world.newest.fail(BROKEN);
    world.pass(1000);
    world.newest.fail(BROKEN);
    world.pass(2000);
    world.send("t2");
    world.pass(STEADY_MS);
    world.newest.fail(BROKEN);
    assert.equal(world.follower.retryAt, world.time + 1000);
  });

  it("is as long as the server has asked for, from the last token on", () => {
    world.goLive();
    world.newest.fail(sentAway(700));
    assert.equal(world.follower.state, "waiting");
    assert.equal(world.follower.retryAt, world.time + 700);
    world.pass(699);
    assert.equal(world.running.length, 0);
    world.pass(1);
    assert.deepEqual([world.newest.kind, world.newest.token], ["open", "t1"]);
  });

  it("is a first one again where the server does not come back as announced", () => {
    world.goLive();
    world.newest.fail(BROKEN);
    world.pass(1000);
    world.newest.fail(sentAway(700));
    world.pass(700);
    world.newest.fail(BROKEN);
    assert.equal(world.follower.retryAt, world.time + 1000);
  });

  it("is no longer than any other because a server asks for it", () => {
    world.goLive();
    world.newest.fail(sentAway(999_999));
    assert.equal(world.follower.retryAt, world.time + LONGEST_WAIT_MS);
  });

  it("ends at once when there is a reason to try", () => {
    world.goLive();
    world.newest.fail(BROKEN);
    world.follower.wake();
    assert.equal(world.follower.state, "connecting");
    assert.equal(world.timers.size, 0);
    assert.equal(world.running.length, 1);
  });
});

describe("without a network", () => {
  it("does not even try, until it is back", () => {
    world.goLive();
    world.online = false;
    world.follower.offline();
    assert.equal(world.follower.state, "offline");
    assert.deepEqual([world.running.length, world.timers.size], [0, 0]);
    world.follower.wake();
    assert.equal(world.follower.state, "offline");
    world.online = true;
    world.follower.wake();
    assert.deepEqual([world.newest.kind, world.newest.token], ["open", "t1"]);
  });

  it("is what a break may mean", () => {
    world.goLive();
    world.online = false;
    world.newest.fail(BROKEN);
    assert.equal(world.follower.state, "offline");
    assert.equal(world.timers.size, 0);
  });
});

describe("moving to another way", () => {
  it("ends the stream and goes on from its last token", () => {
    world.goLive();
    world.follower.move();
    assert.deepEqual([world.newest.kind, world.newest.token, world.running.length], ["open", "t1", 1]);
    assert.equal(world.follower.state, "connecting");
    world.send("t2");
    assert.equal(world.follower.state, "live");
  });

  it("lists anew where the list was still awaited", () => {
    world.follower.start();
    world.follower.move();
    assert.deepEqual([world.newest.kind, world.calls.length, world.running.length], ["load", 2, 1]);
    assert.equal(world.follower.failures, 0);
  });

  it("waits no longer, and tries again what was refused on the other", () => {
    world.goLive();
    world.newest.fail(BROKEN);
    world.follower.move();
    assert.deepEqual([world.follower.state, world.timers.size], ["connecting", 0]);
    world.newest.fail(UNAUTHENTICATED);
    world.follower.move();
    assert.equal(world.follower.state, "connecting");
  });

  it("is nothing to one that nobody wants to follow", () => {
    world.follower.move();
    assert.deepEqual([world.follower.state, world.calls.length], ["idle", 0]);
  });
});

describe("stopping", () => {
  it("ends the call and goes on later from where it was", () => {
    world.goLive();
    world.follower.stop();
    assert.deepEqual([world.follower.state, world.running.length], ["idle", 0]);
    world.follower.offline();
    world.follower.wake();
    assert.equal(world.follower.state, "idle");
    world.follower.start();
    assert.deepEqual([world.newest.kind, world.newest.token], ["open", "t1"]);
  });

  it("ends a wait, and a list", () => {
    world.follower.start();
    world.follower.stop();
    assert.equal(world.running.length, 0);
    world.goLive();
    world.newest.fail(BROKEN);
    world.follower.stop();
    assert.equal(world.timers.size, 0);
  });
});
