// @ts-check
"use strict";

/**
 * The Users panel: all accounts for staff, their own for everybody else who is signed in, a way in for visitors; and for
 * all who are signed in, their API tokens.
 */

const { UserCalls } = require("../rpc/users.js");
const { ConfirmDialog } = require("../view/confirm-dialog.js");
const { byTestId } = require("../view/dom.js");
const { registerPanel } = require("./registry.js");
const { AccountView } = require("./users/account.js");
const { UserListView } = require("./users/list.js");
const { TokenListView } = require("./users/tokens.js");

registerPanel("users", (root, paths) => {
  const calls = new UserCalls(paths);
  if (root.dataset.caller === "visitor") return undefined;
  const confirm = new ConfirmDialog(byTestId(document, "confirm", HTMLDialogElement));
  const tokens = new TokenListView(root, calls, confirm);
  if (root.dataset.caller === "staff") {
    const { listing } = new UserListView(root, calls, confirm);
    return {
      show() {
        listing.load();
        tokens.load();
      },
    };
  }
  const account = new AccountView(root, calls);
  return {
    show() {
      account.load();
      tokens.load();
    },
  };
});
