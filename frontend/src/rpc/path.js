// @ts-check
"use strict";

/**
 * The way that calls take to the services: Django answers them itself, in-process, or Envoy translates them for a native
 * server. What belongs here: which origin is called, and the clients for it. Each way is an origin of its own; a page of
 * either may choose.
 */

/** @typedef {"in-process" | "envoy"} PathName */

/** @type {Readonly<Record<PathName, string>>} */
const PATH_LABELS = Object.freeze({ "in-process": "in-process", envoy: "through Envoy" });

const STORAGE_KEY = "path";

/**
 * Where a choice is kept. A browser may refuse it by an exception.
 *
 * @typedef {Pick<Storage, "getItem" | "setItem">} Memory
 */

/**
 * Gives the way that a page's own origin is. One that is neither may be another name of either: then the port tells.
 *
 * @param {Record<PathName, string>} origins
 * @param {string} ownOrigin
 * @returns {PathName}
 */
function pathOf(origins, ownOrigin) {
  const { port } = new URL(ownOrigin);
  const isEnvoy =
    origins.envoy === ownOrigin ||
    (origins["in-process"] !== ownOrigin &&
      new URL(origins.envoy).port === port &&
      new URL(origins["in-process"]).port !== port);
  return isEnvoy ? "envoy" : "in-process";
}

/** The ways that there are, and the one that the next call takes. */
class CallPaths {
  /**
   * @param {Record<PathName, string> | null} origins Null where the page is served in one way only.
   * @param {string} ownOrigin That of the page.
   * @param {() => Memory} memory
   */
  constructor(origins, ownOrigin, memory) {
    this.origins = origins;
    this.own = origins ? pathOf(origins, ownOrigin) : "in-process";
    this.memory = memory;
    /** A page of a third origin, such as another name of the same machine, has other cookies. */
    this.hasChoice = origins?.[this.own] === ownOrigin;
    this.current = (this.hasChoice && this.remembered()) || this.own;
    /** @type {(() => void)[]} */
    this.listeners = [];
  }

  /** Origin that the next call goes to; "" is the page's own. */
  get hostname() {
    return this.current === this.own ? "" : (this.origins?.[this.current] ?? "");
  }

  /** @param {PathName} name For all calls from now on. */
  choose(name) {
    if (!this.hasChoice || name === this.current) return;
    this.current = name;
    try {
      this.memory().setItem(STORAGE_KEY, name);
    } catch {
      // The choice then lasts as long as the page.
    }
    for (const listener of this.listeners) listener();
  }

  /** @param {() => void} listener Called after each change. */
  onChange(listener) {
    this.listeners.push(listener);
  }

  /** @returns {PathName | null} */
  remembered() {
    try {
      const name = this.memory().getItem(STORAGE_KEY);
      return name === "in-process" || name === "envoy" ? name : null;
    } catch {
      return null;
    }
  }
}

/**
 * What is asked before each call.
 *
 * @typedef {object} Destination
 * @property {string} hostname Origin of the server; "" is the page's own.
 */

/** @type {Destination} */
const OWN_ORIGIN = Object.freeze({ hostname: "" });

/**
 * Gives a function that gives the clients for the next call. A client calls one origin for its life. Other origins are
 * called with the session's cookie as well.
 *
 * @template C
 * @param {Destination} destination
 * @param {(hostname: string, options: { withCredentials: boolean }) => C} create
 * @returns {() => C}
 */
function clientsFor(destination, create) {
  /** @type {Map<string, C>} */
  const clients = new Map();
  return () => {
    const { hostname } = destination;
    const client = clients.get(hostname) ?? create(hostname, { withCredentials: hostname !== "" });
    clients.set(hostname, client);
    return client;
  };
}

/**
 * Reads the ways from the page.
 *
 * @param {HTMLElement | null} element That with the two origins.
 * @returns {CallPaths}
 */
function pathsOf(element) {
  const { inProcess, envoy } = element?.dataset ?? {};
  const origins = inProcess && envoy ? { "in-process": inProcess, envoy } : null;
  return new CallPaths(origins, location.origin, () => localStorage);
}

module.exports = { CallPaths, OWN_ORIGIN, PATH_LABELS, clientsFor, pathsOf };
