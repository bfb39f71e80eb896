// @ts-check
"use strict";

/**
 * Follows a stream that shall never end: lists once, streams from the list's resume token on, and goes on from the last
 * token after every break. What belongs here: when to connect, to wait and to give up. It knows neither the page nor
 * orders; time, chance and calls are given to it.
 *
 * state         what it means                                                  what ends it
 * -----         -------------                                                  ------------
 * idle          nobody wants to follow                                         start
 * connecting    the list or the first message of the stream is awaited         an answer or a failure
 * live          the stream is open                                             a failure, a recycling, move
 * waiting       the next attempt is at `retryAt`                               that time, or wake
 * offline       the browser has no network                                     wake
 * refused       the server will not have this caller, however often they ask   start
 */

const { pushbackMs } = require("../rpc/outcome.js");

/** @typedef {import("../rpc/status.js").Outcome} Outcome */
/** @typedef {import("../rpc/call.js").Call} Call */
/** @typedef {"idle" | "connecting" | "live" | "waiting" | "offline" | "refused"} FollowState */

/** The first wait is half a second to one second; each further one is twice as long, up to half a minute. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/** A stream that lasted so long was a good one: the next wait is a first one again. */
const STEADY_MS = 10_000;

/** A browser keeps all bytes of an answer until it ends, so a stream is ended and resumed after so many messages. */
const RECYCLE_AFTER = 2000;

const OUT_OF_RANGE = 11;

/** UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED: the next attempt would end the same way. */
const HOPELESS = new Set([16, 7, 12]);

/**
 * @template M
 * @typedef {object} FollowPlan
 * @property {(done: (result: { resumeToken: string } | { outcome: Outcome }) => void) => Call} load Lists what there is.
 * @property {(resumeToken: string, observer: import("../rpc/call.js").CallObserver<M>) => Call} open Opens the stream.
 * @property {(message: M) => string} tokenOf Where to go on after this message.
 * @property {(message: M) => void} onMessage
 * @property {() => void} onChange The state has changed.
 */

/**
 * @typedef {object} Surroundings
 * @property {() => number} now Milliseconds.
 * @property {() => number} random 0 to 1.
 * @property {() => boolean} isOnline
 * @property {(run: () => void, ms: number) => unknown} setTimer
 * @property {(timer: any) => void} clearTimer
 */

/** @type {Surroundings} */
const BROWSER = {
  now: () => Date.now(),
  random: () => Math.random(),
  isOnline: () => navigator.onLine,
  setTimer: (run, ms) => setTimeout(run, ms),
  clearTimer: (timer) => clearTimeout(timer),
};

/**
 * Gives how long to wait before an attempt where the server has not said when it would like to be called: exponential,
 * and half of it left to chance, so that the callers of a server that has died do not all come back at once.
 *
 * @param {number} failures How many attempts have failed in a row, from 1.
 * @param {number} chance 0 to 1.
 */
function waitMs(failures, chance) {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return (longest * (1 + chance)) / 2;
}

/**
 * @template M
 */
class Follower {
  /**
   * @param {FollowPlan<M>} plan
   * @param {Surroundings} [surroundings]
   */
  constructor(plan, surroundings = BROWSER) {
    this.plan = plan;
    this.surroundings = surroundings;
    /** @type {FollowState} */
    this.state = "idle";
    /** @type {number | null} When the next attempt is, while waiting. */
    this.retryAt = null;
    /** @type {Outcome | null} How the newest attempt failed. */
    this.failure = null;
    /** @type {string | null} Null before the first list, and after the server has forgotten the token. */
    this.resumeToken = null;
    this.failures = 0;
    this.received = 0;
    /** @type {number | null} */
    this.liveSince = null;
    /** @type {Call | null} */
    this.call = null;
    /** @type {unknown} */
    this.timer = null;
  }

  /** Begins to follow, or goes on where `stop` has left off. */
  start() {
    if (this.state !== "idle" && this.state !== "refused") return;
    this.failures = 0;
    this.connect();
  }

  /** Ends the call and all attempts; the resume token is kept. */
  stop() {
    this.release();
    this.become("idle");
  }

  /** Tries at once, if it waits: somebody asks for it, or the network is back, or the page is looked at again. */
  wake() {
    if (this.state === "waiting" || this.state === "offline") this.connect();
  }

  /** Connects anew at once, unless nobody wants to follow: calls take another way now. */
  move() {
    if (this.state === "idle") return;
    this.failures = 0;
    this.connect();
  }

  /** The browser says that the network is gone. */
  offline() {
    if (this.state === "idle" || this.state === "refused") return;
    this.release();
    this.become("offline");
  }

  connect() {
    this.release();
    if (!this.surroundings.isOnline()) {
      this.become("offline");
      return;
    }
    this.become("connecting");
    if (this.resumeToken === null) this.load();
    else this.open(this.resumeToken);
  }

  load() {
    this.call = this.plan.load((result) => {
      this.call = null;
      if ("outcome" in result) {
        this.fail(result.outcome);
        return;
      }
      this.resumeToken = result.resumeToken;
      this.open(result.resumeToken);
    });
  }

  /** @param {string} resumeToken */
  open(resumeToken) {
    this.received = 0;
    this.call = this.plan.open(resumeToken, {
      onMessage: (message) => this.receive(message),
      onEnd: (outcome) => {
        this.call = null;
        this.fail(outcome);
      },
    });
  }

  /** @param {M} message */
  receive(message) {
    if (this.state !== "live") {
      this.liveSince = this.surroundings.now();
      this.failure = null;
      this.become("live");
    }
    this.resumeToken = this.plan.tokenOf(message);
    this.plan.onMessage(message);
    this.received += 1;
    if (this.received >= RECYCLE_AFTER) this.connect();
  }

  /** @param {Outcome} outcome */
  fail(outcome) {
    const { now } = this.surroundings;
    if (outcome.origin === "client") return; // `release` has ended it
    if (this.liveSince !== null && now() - this.liveSince >= STEADY_MS) this.failures = 0;
    this.release();
    this.failure = outcome;
    if (HOPELESS.has(outcome.code)) {
      this.become("refused");
      return;
    }
    if (outcome.code === OUT_OF_RANGE) this.resumeToken = null;
    const pushback = pushbackMs(outcome);
    this.failures = pushback === null ? this.failures + 1 : 0;
    if (!this.surroundings.isOnline()) {
      this.become("offline");
      return;
    }
    const ms = pushback === null ? this.waitMs(outcome) : Math.min(pushback, LONGEST_WAIT_MS);
    this.retryAt = now() + ms;
    this.timer = this.surroundings.setTimer(() => this.connect(), ms);
    this.become("waiting");
  }

  /** @param {Outcome} outcome */
  waitMs(outcome) {
    // A forgotten token is no fault of the server, so the list is asked for at once; but only once.
    if (outcome.code === OUT_OF_RANGE && this.failures === 1) return 0;
    return waitMs(this.failures, this.surroundings.random());
  }

  /** Lets go of the call and the timer. */
  release() {
    const { call } = this;
    this.call = null;
    this.liveSince = null;
    this.retryAt = null;
    this.surroundings.clearTimer(this.timer);
    this.timer = null;
    call?.cancel();
  }

  /** @param {FollowState} state */
  become(state) {
    if (this.state === state) return;
    this.state = state;
    this.plan.onChange();
  }
}

module.exports = { Follower, LONGEST_WAIT_MS, RECYCLE_AFTER, STEADY_MS, waitMs };
