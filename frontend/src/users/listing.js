// @ts-check
"use strict";

/**
 * The list of users as a person pages and searches through it. What belongs here: which request is asked, and which
 * answer counts. A newer request takes the place of an older one, whose answer is then never seen.
 */

/** @typedef {import("../rpc/users.js").User} User */
/** @typedef {import("../rpc/status.js").Outcome} Outcome */
/** @typedef {import("../generated/users/v1/users_pb.js").ListUsersResponse} ListUsersResponse */

const PAGE_SIZE = 10;

/** How long after a keystroke the list is asked for, in milliseconds. */
const SEARCH_DELAY_MS = 200;

/**
 * @typedef {(
 *   request: { pageSize: number, pageToken: string, filter: string },
 *   observer: import("../rpc/call.js").CallObserver<ListUsersResponse>,
 * ) => import("../rpc/call.js").Call} ListUsers
 */

/** One list. The page that was loaded last stays to be seen while the next one is awaited. */
class Listing {
  /**
   * @param {ListUsers} listUsers
   * @param {() => void} onChange
   */
  constructor(listUsers, onChange) {
    this.listUsers = listUsers;
    this.onChange = onChange;
    this.filter = "";
    /** @type {string[]} The tokens of the pages from the first to the one that is asked for. */
    this.tokens = [""];
    /** @type {ListUsersResponse | null} */
    this.page = null;
    /** The number of users in front of the page that is loaded. */
    this.before = 0;
    /** @type {Outcome | null} How the newest request failed. */
    this.failure = null;
    /** @type {import("../rpc/call.js").Call | null} */
    this.call = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  get isLoading() {
    return this.call !== null;
  }

  get hasNext() {
    return !this.isLoading && this.page !== null && this.page.nextPageToken !== "";
  }

  get hasPrevious() {
    return !this.isLoading && this.tokens.length > 1;
  }

  /**
   * Searches, after a moment in which nothing else is typed.
   *
   * @param {string} text
   */
  search(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (text === this.filter) return;
      this.filter = text;
      this.tokens = [""];
      this.load();
    }, SEARCH_DELAY_MS);
  }

  next() {
    if (!this.hasNext || !this.page) return;
    this.tokens.push(this.page.nextPageToken);
    this.load();
  }

  previous() {
    if (!this.hasPrevious) return;
    this.tokens.pop();
    this.load();
  }

  /** Asks for the page, again or for the first time. */
  load() {
    this.call?.cancel();
    this.failure = null;
    const request = { pageSize: PAGE_SIZE, pageToken: this.tokens.at(-1) ?? "", filter: this.filter };
    const call = this.listUsers(request, {
      onMessage: (page) => {
        this.page = page;
        this.before = (this.tokens.length - 1) * PAGE_SIZE;
      },
      onEnd: (outcome) => this.finish(call, outcome),
    });
    this.call = call;
    this.onChange();
  }

  /**
   * @param {import("../rpc/call.js").Call} call
   * @param {Outcome} outcome
   */
  finish(call, outcome) {
    if (call !== this.call || outcome.origin === "client") return;
    this.call = null;
    this.failure = outcome.code === 0 ? null : outcome;
    if (outcome.code === 0 && this.page?.users.length === 0 && this.tokens.length > 1) {
      this.previous(); // the last one of the last page was deleted
      return;
    }
    this.onChange();
  }
}

module.exports = { Listing, PAGE_SIZE, SEARCH_DELAY_MS };
