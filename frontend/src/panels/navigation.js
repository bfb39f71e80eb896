// @ts-check
"use strict";

/**
 * Shows one panel at a time: the one that the address names behind "#", or else the first. The links are ordinary ones,
 * so the browser's own history, bookmarks and new windows work.
 */

/** @typedef {import("./registry.js").MountedPanel} MountedPanel */

/**
 * Gives the panel that a fragment names: by its own name, or by the id of an element in it.
 *
 * @param {MountedPanel[]} panels
 * @param {string} fragment
 */
function panelFor(panels, fragment) {
  const target = document.getElementById(fragment);
  const named = panels.find(({ name }) => name === fragment);
  return named ?? panels.find(({ root }) => target !== null && root.contains(target)) ?? panels[0];
}

/**
 * @param {MountedPanel[]} panels In the order of the page; the first is shown where the address names none.
 * @param {NodeListOf<HTMLAnchorElement>} links To the panels, as `href="#name"`.
 */
function connectNavigation(panels, links) {
  const siteTitle = document.title;
  /** @type {MountedPanel | undefined} */
  let shown;
  const update = () => {
    const next = panelFor(panels, location.hash.slice(1));
    if (!next || next === shown) return;
    const before = shown;
    shown = next;
    for (const { root } of panels) root.hidden = root !== next.root;
    for (const link of links) {
      if (link.hash === `#${next.name}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const heading = next.root.querySelector("h2")?.textContent ?? "";
    document.title = next === panels[0] ? siteTitle : `${heading} · ${siteTitle}`;
    before?.life.hide?.();
    next.life.show?.();
  };
  window.addEventListener("hashchange", update);
  update();
}

module.exports = { connectNavigation };
