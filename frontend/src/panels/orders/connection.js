// @ts-check
"use strict";

/** Whether the board is live: shows what the `Follower` does, and tells it what happens to the page and the network. */

const { PATH_LABELS } = require("../../rpc/path.js");
const { failureText } = require("../../rpc/violations.js");
const { byTestId, find, setText } = require("../../view/dom.js");

/** @typedef {import("../../orders/reconnect.js").Follower<any>} Follower */

/** A page that nobody looks at for so long lets go of its connection, of which a browser has only a few. */
const HIDDEN_MS = 30_000;

/** How often the seconds until the next attempt are counted. */
const TICK_MS = 250;

/**
 * @param {Follower} follower
 * @returns {string}
 */
function textOf({ state, retryAt, failure }) {
  if (state === "waiting" && retryAt !== null) {
    return `reconnecting in ${Math.max(1, Math.ceil((retryAt - Date.now()) / 1000))} s`;
  }
  if (state === "refused" && failure) return failureText(failure);
  return { idle: "paused", connecting: "connecting…", live: "live", offline: "offline", waiting: "", refused: "" }[
    state
  ];
}

/** The line at the head of the board. */
class ConnectionView {
  /**
   * @param {HTMLElement} root
   * @param {import("../../rpc/path.js").CallPaths} paths
   * @param {(text: string) => void} announce
   */
  constructor(root, paths, announce) {
    this.paths = paths;
    this.announce = announce;
    this.line = byTestId(root, "connection", HTMLElement);
    this.text = find(this.line, ".connection-text", HTMLElement);
    this.retry = byTestId(root, "connection-retry", HTMLButtonElement);
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.ticker = undefined;
  }

  /** @param {Follower} follower */
  render(follower) {
    const { state } = follower;
    clearInterval(this.ticker);
    const wasLive = this.line.dataset.state === "live";
    this.line.dataset.state = state;
    this.retry.hidden = state !== "waiting" && state !== "refused";
    const way = state === "live" ? `, ${PATH_LABELS[this.paths.current]}` : "";
    setText(this.text, textOf(follower) + way);
    if (state === "waiting") this.ticker = setInterval(() => setText(this.text, textOf(follower)), TICK_MS);
    if (state === "live") this.announce("The board is live");
    else if (wasLive && state !== "idle") this.announce("The board has lost its connection");
  }
}

/**
 * Lets the follower go on at once where there is a reason to, and rest where nobody looks.
 *
 * @param {Follower} follower
 * @param {HTMLButtonElement} retry
 * @returns {import("../registry.js").PanelLife}
 */
function connectFollower(follower, retry) {
  let isShown = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const go = () => {
    clearTimeout(timer);
    if (!isShown) return;
    follower.start();
    follower.wake();
  };
  retry.addEventListener("click", go);
  window.addEventListener("online", go);
  window.addEventListener("offline", () => follower.offline());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") go();
    else timer = setTimeout(() => follower.stop(), HIDDEN_MS);
  });
  return {
    show() {
      isShown = true;
      go();
    },
    hide() {
      isShown = false;
      follower.stop();
    },
  };
}

module.exports = { ConnectionView, connectFollower };
