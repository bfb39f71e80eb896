// @ts-check
"use strict";

/** The Users panel: all accounts for staff, their own for everybody else who is signed in, a way in for visitors. */

const { UserCalls } = require("../rpc/users.js");
const { ConfirmDialog } = require("../view/confirm-dialog.js");
const { byTestId } = require("../view/dom.js");
const { registerPanel } = require("./registry.js");
const { AccountView } = require("./users/account.js");
const { UserListView } = require("./users/list.js");

registerPanel("users", (root, paths) => {
  const calls = new UserCalls(paths);
  if (root.dataset.caller === "staff") {
    const view = new UserListView(root, calls, new ConfirmDialog(byTestId(document, "confirm", HTMLDialogElement)));
    return { show: () => view.listing.load() };
  }
  if (root.dataset.caller === "customer") {
    const view = new AccountView(root, calls);
    return { show: () => view.load() };
  }
  return undefined;
});
