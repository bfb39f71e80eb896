"use strict";

/** What a `Follower` lives in: time, chance, the network and the server's answers are the test's. */

const { Follower } = require("../../src/orders/reconnect.js");

const CANCELLED = { code: 1, origin: "client", trailers: [] };

/** A world with one clock, in which calls are answered by hand. */
class World {
  constructor() {
    this.time = 0;
    this.online = true;
    this.timers = new Map();
    this.messages = [];
    this.states = [];
    /** All calls, the newest last: `{ kind, token, observer, isOver }`. */
    this.calls = [];
    this.follower = new Follower(
      {
        load: (done) => this.call({ kind: "load", end: done }, (outcome) => done({ outcome })),
        open: (token, observer) => this.call({ kind: "open", token, observer }, (outcome) => observer.onEnd(outcome)),
        tokenOf: (message) => message.token,
        onMessage: (message) => this.messages.push(message.token),
        onChange: () => this.states.push(this.follower.state),
      },
      {
        now: () => this.time,
        random: () => 1,
        isOnline: () => this.online,
        setTimer: (run, ms) => {
          const timer = Symbol(`in ${ms} ms`);
          this.timers.set(timer, { run, at: this.time + ms });
          return timer;
        },
        clearTimer: (timer) => this.timers.delete(timer),
      },
    );
  }

  call(call, end) {
    call.isOver = false;
    call.fail = (outcome) => {
      call.isOver = true;
      end(outcome);
    };
    this.calls.push(call);
    return { cancel: () => !call.isOver && call.fail(CANCELLED) };
  }

  get newest() {
    return this.calls.at(-1);
  }

  get running() {
    return this.calls.filter(({ isOver }) => !isOver);
  }

  /** Answers the list. */
  list(resumeToken) {
    this.newest.isOver = true;
    this.newest.end({ resumeToken });
  }

  send(token) {
    this.newest.observer.onMessage({ token });
  }

  /** Lets time pass, with the timers that are due. */
  pass(ms) {
    this.time += ms;
    for (const [timer, { run, at }] of this.timers) {
      if (at > this.time) continue;
      this.timers.delete(timer);
      run();
    }
  }

  goLive() {
    this.follower.start();
    this.list("t0");
    this.send("t1");
  }
}

module.exports = { CANCELLED, World };
