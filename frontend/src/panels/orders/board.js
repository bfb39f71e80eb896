// @ts-check
"use strict";

/** Connects the board to the server: what is listed, what is streamed, and what is done from a card. */

const { Board, STATUSES, statusOf } = require("../../orders/board.js");
const { Follower } = require("../../orders/reconnect.js");
const { byTestId } = require("../../view/dom.js");
const { BoardView } = require("./board-view.js");
const { ConnectionView, connectFollower } = require("./connection.js");

/** @typedef {import("../../rpc/orders.js").OrderCalls} OrderCalls */
/** @typedef {import("../../rpc/orders.js").Order} Order */
/** @typedef {import("../../rpc/orders.js").OrderUpdate} OrderUpdate */
/** @typedef {import("../../rpc/orders.js").OrderStatus} OrderStatus */
/** @typedef {import("../../rpc/status.js").Outcome} Outcome */
/** @typedef {import("../../rpc/call.js").Call} Call */

/** How many orders of each status are listed. */
const LISTED = 20;

/**
 * Lists the newest orders of each status. The resume token is that of the first list, which is asked for before the
 * others: what changes meanwhile is streamed once more, and does no harm.
 *
 * @param {OrderCalls} calls
 * @param {Board} board
 * @param {(result: { resumeToken: string } | { outcome: Outcome }) => void} done
 * @returns {Call}
 */
function loadBoard(calls, board, done) {
  /** @type {Set<Call>} */
  const running = new Set();
  /** @type {{ orders: Order[], status: OrderStatus, hasMore: boolean }[]} */
  const lists = [];
  let resumeToken = "";
  let isOver = false;
  /** @param {Outcome} outcome */
  const fail = (outcome) => {
    if (isOver) return;
    isOver = true;
    for (const call of running) call.cancel();
    done({ outcome });
  };
  /** @param {OrderStatus} status */
  const list = (status) => {
    const call = calls.listOrders(
      { pageSize: LISTED, statuses: [status] },
      {
        onMessage: (page) => {
          resumeToken ||= page.resumeToken;
          lists.push({ orders: page.orders, status, hasMore: page.nextPageToken !== "" });
        },
        onEnd: (outcome) => {
          running.delete(call);
          if (outcome.code !== 0) fail(outcome);
          else if (lists.length === 1) STATUSES.slice(1).forEach((each) => list(each.status));
          else if (lists.length === STATUSES.length) {
            board.load(lists);
            done({ resumeToken });
          }
        },
      },
    );
    running.add(call);
  };
  list(STATUSES[0]?.status ?? 0);
  return { cancel: () => [...running].forEach((call) => call.cancel()) };
}

/**
 * @param {OrderCalls} calls
 * @param {(order: Order) => void} take Takes over an order from an answer.
 * @param {import("../../view/confirm-dialog.js").ConfirmDialog} confirm
 * @param {boolean} isStaff
 * @returns {import("./card.js").CardActions}
 */
function cardActions(calls, take, confirm, isStaff) {
  /** @type {(onEnd: (outcome: Outcome) => void) => import("../../rpc/call.js").CallObserver<{ order?: Order }>} */
  const observer = (onEnd) => ({ onMessage: ({ order }) => order && take(order), onEnd });
  return {
    isStaff,
    advance: (order, onEnd) => {
      const next = statusOf(order.status)?.next;
      if (next) calls.updateOrderStatus(order.id, next, observer(onEnd));
    },
    cancel: (order) =>
      confirm.ask({
        title: `Cancel order ${order.id}?`,
        text: "Its items go back to stock. A cancelled order stays cancelled.",
        action: "Cancel the order",
        doing: "Cancelling…",
        run: (onEnd) => calls.cancelOrder(order.id, observer(onEnd)),
      }),
  };
}

/**
 * @param {HTMLElement} root
 * @param {OrderCalls} calls
 * @param {import("../../view/confirm-dialog.js").ConfirmDialog} confirm
 * @param {import("../../rpc/path.js").CallPaths} paths
 * @param {{ announce: (text: string) => void, onStockMoved: () => void }} page
 */
function connectBoard(root, calls, confirm, paths, { announce, onStockMoved }) {
  const board = new Board();
  /** @param {Order} order From an answer or from the stream, whichever is faster. */
  const take = (order) => {
    if (!board.put(order)) return;
    const status = statusOf(order.status);
    announce(`Order ${order.id} is ${status?.name.toLowerCase()}`);
    if (status?.id === "placed" || status?.id === "cancelled") onStockMoved();
    view.schedule();
  };
  const actions = cardActions(calls, take, confirm, "staff" in root.dataset);
  const view = new BoardView(byTestId(root, "board", HTMLElement), board, actions);
  const connection = new ConnectionView(root, paths, announce);
  /** @type {Follower<OrderUpdate>} */
  const follower = new Follower({
    load: (done) =>
      loadBoard(calls, board, (result) => {
        view.schedule();
        done(result);
      }),
    open: (resumeToken, observer) => calls.streamOrderUpdates(resumeToken, observer),
    tokenOf: ({ resumeToken }) => resumeToken,
    onMessage: ({ order }) => order && take(order),
    onChange: () => connection.render(follower),
  });
  paths.onChange(() => follower.move());
  return { take, life: connectFollower(follower, connection.retry) };
}

module.exports = { connectBoard };
