// @ts-check
"use strict";

/** The products: price and stock of this moment, and a button that puts one into the cart. */

const { amountOf, formatAmount } = require("../../orders/money.js");
const { failureText } = require("../../rpc/violations.js");
const { buttonElement, byTestId, find, setEnabled, setText, textElement } = require("../../view/dom.js");
const { formatCount } = require("../../view/format.js");

/** @typedef {import("../../rpc/orders.js").Product} Product */

const PAGE_SIZE = 100;

/** Changes of stock that come together are one reason to ask. */
const REFRESH_MS = 400;

/** The table of the catalogue. */
class CatalogueView {
  /**
   * @param {HTMLElement} root
   * @param {import("../../rpc/orders.js").OrderCalls} calls
   * @param {{ add: (product: Product) => void, canAdd: (product: Product) => boolean,
   *   onProducts: (products: Product[]) => void } | null} cart Null for callers who buy nothing.
   */
  constructor(root, calls, cart) {
    this.calls = calls;
    this.cart = cart;
    this.box = byTestId(root, "products", HTMLElement);
    this.rows = byTestId(root, "product-rows", HTMLElement);
    this.note = byTestId(root, "products-note", HTMLElement);
    this.retry = byTestId(root, "products-retry", HTMLButtonElement);
    /** @type {Product[]} */
    this.products = [];
    /** @type {import("../../rpc/call.js").Call | null} */
    this.call = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.retry.addEventListener("click", () => this.load());
  }

  /** Loads soon: more than one reason may come at once. */
  refreshSoon() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.load();
    }, REFRESH_MS);
  }

  /** Loads all pages; what is shown stays until the last one is there. */
  load() {
    this.call?.cancel();
    this.box.setAttribute("aria-busy", "true");
    if (this.products.length === 0) this.show("loading", "Loading the catalogue…");
    this.loadPage("", []);
  }

  /**
   * @param {string} pageToken
   * @param {Product[]} before
   */
  loadPage(pageToken, before) {
    let products = before;
    let nextPageToken = "";
    this.call = this.calls.listProducts(
      { pageSize: PAGE_SIZE, pageToken },
      {
        onMessage: (page) => {
          products = [...before, ...page.products];
          ({ nextPageToken } = page);
        },
        onEnd: (outcome) => {
          if (outcome.origin === "client") return;
          this.call = null;
          if (outcome.code === 0 && nextPageToken) {
            this.loadPage(nextPageToken, products);
            return;
          }
          this.box.setAttribute("aria-busy", "false");
          if (outcome.code !== 0) this.show("failed", failureText(outcome));
          else this.take(products);
        },
      },
    );
  }

  /** @param {Product[]} products */
  take(products) {
    const isSame =
      products.length === this.products.length && products.every(({ id }, i) => id === this.products[i]?.id);
    this.products = products;
    if (!isSame) this.rows.replaceChildren(...products.map((product) => this.row(product)));
    this.cart?.onProducts(products);
    this.show(products.length > 0 ? "ready" : "empty", "The catalogue is empty. make seed fills it.");
    this.update();
  }

  /**
   * @param {"loading" | "ready" | "empty" | "failed"} state
   * @param {string} text
   */
  show(state, text) {
    this.box.dataset.state = state;
    this.note.hidden = state === "ready";
    this.retry.hidden = state !== "failed";
    setText(find(this.note, "p", HTMLElement), text);
  }

  /** @param {Product} product */
  row(product) {
    const row = document.createElement("tr");
    row.dataset.productId = product.id;
    const name = document.createElement("th");
    name.scope = "row";
    const description = textElement("span", product.description);
    description.className = "product-description";
    name.append(textElement("span", product.name), description);
    const price = textElement("td", "");
    price.className = "figure";
    price.dataset.testid = "product-price";
    const stock = textElement("td", "");
    stock.className = "figure";
    stock.dataset.testid = "product-stock";
    row.append(name, price, stock);
    const { cart } = this;
    if (!cart) return row;
    const cell = document.createElement("td");
    cell.className = "actions";
    const options = { testId: "product-add", label: `Add ${product.name} to the cart` };
    const add = () => {
      const newest = this.products.find(({ id }) => id === product.id);
      if (newest) cart.add(newest);
    };
    cell.append(buttonElement("Add", options, add));
    row.append(cell);
    return row;
  }

  /** Shows what may have changed of products that are listed. */
  update() {
    this.products.forEach((product, index) => {
      const row = this.rows.children[index];
      if (!row) return;
      setText(byTestId(row, "product-price", HTMLElement), formatAmount(amountOf(product.price)));
      const stock = byTestId(row, "product-stock", HTMLElement);
      setText(stock, product.stock > 0 ? formatCount(product.stock) : "sold out");
      stock.dataset.stock = String(product.stock);
      if (this.cart) setEnabled(byTestId(row, "product-add", HTMLButtonElement), this.cart.canAdd(product));
    });
  }
}

module.exports = { CatalogueView };
