// @ts-check
"use strict";

/** The calls of the order service, as the page makes them. What belongs here: from plain values to a request. */

const { OrderServiceClient } = require("../generated/orders/v1/orders_grpc_web_pb.js");
const { deadlineMetadata, startStream, startUnary } = require("./call.js");
const { OWN_ORIGIN, clientsFor } = require("./path.js");

/** @typedef {import("./call.js").Call} Call */
/** @typedef {import("../generated/orders/v1/orders_pb.js").Order} Order */
/** @typedef {import("../generated/orders/v1/orders_pb.js").Product} Product */
/** @typedef {import("../generated/orders/v1/orders_pb.js").OrderStatus} OrderStatus */
/** @typedef {import("../generated/orders/v1/orders_pb.js").ListProductsResponse} ListProductsResponse */
/** @typedef {import("../generated/orders/v1/orders_pb.js").PlaceOrderResponse} PlaceOrderResponse */
/** @typedef {import("../generated/orders/v1/orders_pb.js").ListOrdersResponse} ListOrdersResponse */
/** @typedef {import("../generated/orders/v1/orders_pb.js").CancelOrderResponse} CancelOrderResponse */
/** @typedef {import("../generated/orders/v1/orders_pb.js").UpdateOrderStatusResponse} UpdateOrderStatusResponse */
/** @typedef {import("../generated/orders/v1/orders_pb.js").StreamOrderUpdatesResponse} OrderUpdate */

/**
 * @template M
 * @typedef {import("./call.js").CallObserver<M>} CallObserver
 */

/** How long a unary call may take, in milliseconds. The stream has no deadline: it never ends by itself. */
const DEADLINE_MS = 15_000;

/** Calls `orders.v1.OrderService`. */
class OrderCalls {
  /** @param {import("./path.js").Destination} [destination] */
  constructor(destination = OWN_ORIGIN) {
    this.client = clientsFor(destination, (hostname, options) => new OrderServiceClient(hostname, null, options));
  }

  /**
   * @param {{ pageSize: number, pageToken: string }} request
   * @param {CallObserver<ListProductsResponse>} observer
   * @returns {Call}
   */
  listProducts(request, observer) {
    return startUnary((done) => this.client().listProducts(request, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {{ items: { productId: string, quantity: number }[], idempotencyKey: string }} request
   * @param {CallObserver<PlaceOrderResponse>} observer
   * @returns {Call}
   */
  placeOrder(request, observer) {
    return startUnary((done) => this.client().placeOrder(request, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {{ pageSize: number, statuses: OrderStatus[] }} request
   * @param {CallObserver<ListOrdersResponse>} observer
   * @returns {Call}
   */
  listOrders(request, observer) {
    return startUnary((done) => this.client().listOrders(request, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {string} id
   * @param {CallObserver<CancelOrderResponse>} observer
   * @returns {Call}
   */
  cancelOrder(id, observer) {
    return startUnary((done) => this.client().cancelOrder({ id }, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {string} id
   * @param {OrderStatus} status
   * @param {CallObserver<UpdateOrderStatusResponse>} observer
   * @returns {Call}
   */
  updateOrderStatus(id, status, observer) {
    const request = { id, status };
    return startUnary(
      (done) => this.client().updateOrderStatus(request, deadlineMetadata(DEADLINE_MS), done),
      observer,
    );
  }

  /**
   * @param {string} resumeToken
   * @param {CallObserver<OrderUpdate>} observer
   * @returns {Call}
   */
  streamOrderUpdates(resumeToken, observer) {
    return startStream(() => this.client().streamOrderUpdates({ resumeToken }, {}), observer);
  }
}

module.exports = { OrderCalls };
