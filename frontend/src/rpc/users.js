// @ts-check
"use strict";

/** The calls of the user service, as the page makes them. What belongs here: from plain values to a request. */

const { UserServiceClient } = require("../generated/users/v1/users_grpc_web_pb.js");
const { deadlineMetadata, startUnary } = require("./call.js");
const { OWN_ORIGIN, clientsFor } = require("./path.js");

/** @typedef {import("./call.js").Call} Call */
/** @typedef {import("../generated/users/v1/users_pb.js").User} User */
/** @typedef {import("../generated/users/v1/users_pb.js").GetCurrentUserResponse} GetCurrentUserResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").ListUsersResponse} ListUsersResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").CreateUserResponse} CreateUserResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").UpdateUserResponse} UpdateUserResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").DeleteUserResponse} DeleteUserResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").Token} Token */
/** @typedef {import("../generated/users/v1/users_pb.js").CreateTokenResponse} CreateTokenResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").ListTokensResponse} ListTokensResponse */
/** @typedef {import("../generated/users/v1/users_pb.js").RevokeTokenResponse} RevokeTokenResponse */

/**
 * What a person can say of an account. Each field may be left out.
 *
 * @typedef {import("@bufbuild/protobuf").MessageInitShape<
 *   typeof import("../generated/users/v1/users_pb.js").UserSchema>} UserValues
 */

/**
 * @template M
 * @typedef {import("./call.js").CallObserver<M>} CallObserver
 */

/** How long a call may take, in milliseconds: nobody waits longer for a form. */
const DEADLINE_MS = 15_000;

/** Calls `users.v1.UserService`. */
class UserCalls {
  /** @param {import("./path.js").Destination} [destination] */
  constructor(destination = OWN_ORIGIN) {
    this.client = clientsFor(destination, (hostname, options) => new UserServiceClient(hostname, null, options));
  }

  /**
   * @param {CallObserver<GetCurrentUserResponse>} observer
   * @returns {Call}
   */
  getCurrentUser(observer) {
    return startUnary((done) => this.client().getCurrentUser({}, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {{ pageSize: number, pageToken: string, filter: string }} request
   * @param {CallObserver<ListUsersResponse>} observer
   * @returns {Call}
   */
  listUsers(request, observer) {
    return startUnary((done) => this.client().listUsers(request, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {UserValues} user
   * @param {CallObserver<CreateUserResponse>} observer
   * @returns {Call}
   */
  createUser(user, observer) {
    return startUnary((done) => this.client().createUser({ user }, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {UserValues} user With its id.
   * @param {string[]} fields The names, as the contract has them, of what changes.
   * @param {CallObserver<UpdateUserResponse>} observer
   * @returns {Call}
   */
  updateUser(user, fields, observer) {
    const request = { user, updateMask: { paths: fields } };
    return startUnary((done) => this.client().updateUser(request, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {string} id
   * @param {CallObserver<DeleteUserResponse>} observer
   * @returns {Call}
   */
  deleteUser(id, observer) {
    return startUnary((done) => this.client().deleteUser({ id }, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {CallObserver<ListTokensResponse>} observer
   * @returns {Call}
   */
  listTokens(observer) {
    return startUnary((done) => this.client().listTokens({}, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {{ name: string, lifetimeDays: number }} request
   * @param {CallObserver<CreateTokenResponse>} observer
   * @returns {Call}
   */
  createToken(request, observer) {
    return startUnary((done) => this.client().createToken(request, deadlineMetadata(DEADLINE_MS), done), observer);
  }

  /**
   * @param {string} id
   * @param {CallObserver<RevokeTokenResponse>} observer
   * @returns {Call}
   */
  revokeToken(id, observer) {
    return startUnary((done) => this.client().revokeToken({ id }, deadlineMetadata(DEADLINE_MS), done), observer);
  }
}

module.exports = { UserCalls };
