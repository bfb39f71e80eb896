// @ts-check
"use strict";

/**
 * The colour theme: that of the system, or the one that was chosen on this page. A bundle of its own, which runs before
 * the page is painted, so that a page never starts in the wrong colours.
 */

const STORAGE_KEY = "theme";
const AUTO = "auto";

/** @returns {string} "auto", "light" or "dark" */
function storedTheme() {
  try {
    const theme = localStorage.getItem(STORAGE_KEY);
    return theme === "light" || theme === "dark" ? theme : AUTO;
  } catch {
    return AUTO; // a browser may refuse storage
  }
}

/** @param {string} theme */
function storeTheme(theme) {
  try {
    if (theme === AUTO) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, theme);
  } catch {
    // The theme then lasts as long as the page.
  }
}

/** @param {string} theme */
function applyTheme(theme) {
  if (theme === AUTO) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function connectChoice() {
  const theme = storedTheme();
  for (const radio of document.querySelectorAll("#theme input")) {
    if (!(radio instanceof HTMLInputElement)) continue;
    radio.checked = radio.value === theme;
    radio.addEventListener("change", () => {
      applyTheme(radio.value);
      storeTheme(radio.value);
    });
  }
}

applyTheme(storedTheme());
document.addEventListener("DOMContentLoaded", connectChoice);
