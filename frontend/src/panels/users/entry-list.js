// @ts-check
"use strict";

/** Metadata as a list of entries. */

const { textElement } = require("../../view/dom.js");
const { NOTHING } = require("../../users/words.js");

/**
 * @param {[key: string, value: string][]} entries
 * @returns {Node}
 */
function entryList(entries) {
  if (entries.length === 0) return document.createTextNode(NOTHING);
  const list = document.createElement("ul");
  list.className = "entry-list";
  for (const [key, value] of entries) {
    const item = document.createElement("li");
    item.append(textElement("span", key), " ", value);
    list.append(item);
  }
  return list;
}

module.exports = { entryList };
