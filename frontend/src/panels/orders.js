// @ts-check
"use strict";

/** The Orders panel: the catalogue for everybody, the cart for customers, the board for those who are signed in. */

const { Cart } = require("../orders/cart.js");
const { CartStorage } = require("../orders/saved-cart.js");
const { OrderCalls } = require("../rpc/orders.js");
const { ConfirmDialog } = require("../view/confirm-dialog.js");
const { byTestId, setText } = require("../view/dom.js");
const { registerPanel } = require("./registry.js");
const { connectBoard } = require("./orders/board.js");
const { CartView } = require("./orders/cart-view.js");
const { CatalogueView } = require("./orders/catalogue.js");

/** How often a screen reader is told of changes at most, in milliseconds. */
const ANNOUNCE_EVERY_MS = 2000;

/**
 * Tells a screen reader, and does not talk all the time: of changes that come together it tells the last.
 *
 * @param {HTMLElement} element
 */
function announcer(element) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let newest = "";
  /** @param {string} text */
  return (text) => {
    newest = text;
    if (timer !== undefined) return;
    setText(element, text);
    timer = setTimeout(() => {
      timer = undefined;
      setText(element, newest);
    }, ANNOUNCE_EVERY_MS);
  };
}

/**
 * @param {HTMLElement} root
 * @param {OrderCalls} calls
 * @param {(order: import("../rpc/orders.js").Order) => void} onPlaced
 */
function connectShop(root, calls, onPlaced) {
  const { customer } = root.dataset;
  if (customer === undefined) return new CatalogueView(root, calls, null);
  const cart = new Cart();
  const storage = new CartStorage(() => sessionStorage, customer);
  let saved = storage.read();
  const view = new CartView(root, cart, calls, {
    onChange: () => {
      storage.write(cart);
      catalogue.update();
    },
    onRefused: () => catalogue.load(),
    onPlaced: (order) => {
      catalogue.load();
      onPlaced(order);
    },
  });
  /** @type {CatalogueView} */
  const catalogue = new CatalogueView(root, calls, {
    add: (product) => view.add(product),
    canAdd: (product) => !view.isPending && cart.canAdd(product),
    onProducts: (products) => {
      cart.refresh(products);
      view.render();
      if (!saved) return;
      view.restore(saved, products);
      saved = null;
    },
  });
  if (saved) view.wait();
  else view.render();
  return catalogue;
}

registerPanel("orders", (root, paths) => {
  const calls = new OrderCalls(paths);
  if (!("signedIn" in root.dataset)) {
    const catalogue = connectShop(root, calls, () => {});
    return { show: () => catalogue.load() };
  }
  const confirm = new ConfirmDialog(byTestId(document, "confirm", HTMLDialogElement));
  const { take, life } = connectBoard(root, calls, confirm, paths, {
    announce: announcer(byTestId(root, "orders-announcement", HTMLElement)),
    onStockMoved: () => catalogue.refreshSoon(),
  });
  const catalogue = connectShop(root, calls, take);
  return {
    show() {
      catalogue.load();
      life.show?.();
    },
    hide: () => life.hide?.(),
  };
});
