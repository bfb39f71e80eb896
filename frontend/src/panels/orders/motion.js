// @ts-check
"use strict";

/** Lets elements glide to where a change of the page has put them. Nothing moves for those who ask for less motion. */

const GLIDE_MS = 380;

function isMotionWelcome() {
  return !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/**
 * Changes the page, and shows the way from each element's old place to its new one.
 *
 * @param {() => Iterable<HTMLElement>} elements Those that may move, before and after the change.
 * @param {() => void} change
 */
function glide(elements, change) {
  if (!isMotionWelcome()) {
    change();
    return;
  }
  const before = new Map([...elements()].map((element) => [element, element.getBoundingClientRect()]));
  change();
  for (const element of elements()) {
    const from = before.get(element);
    if (!from) continue;
    const to = element.getBoundingClientRect();
    const [x, y] = [from.left - to.left, from.top - to.top];
    if (Math.abs(x) < 1 && Math.abs(y) < 1) continue;
    element.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: "none" }], {
      duration: GLIDE_MS,
      easing: "cubic-bezier(0.2, 0.7, 0.2, 1)",
    });
  }
}

module.exports = { glide };
