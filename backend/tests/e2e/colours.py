"""Measures the colours of a page as a browser has computed them."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA), for text of ordinary size."""

MEASURE = """() => {
  // A canvas understands every colour syntax and mixes transparent layers as the page does.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    canvas.fillStyle = "white";
    canvas.fillRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ancestry = (element) => (element ? [...ancestry(element.parentElement), element] : []);
  const isDisabled = (element) => element.closest("[disabled], [aria-disabled=true], :disabled") !== null;
  const isShown = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && width > 2 && height > 2;
  };
  const measured = [];
  for (const element of document.body.querySelectorAll("*")) {
    const ownText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
    const text = element.matches("input:not([type=radio], [type=checkbox]), select") ? element.value : ownText;
    if (!text || !isShown(element) || isDisabled(element)) continue;
    const style = getComputedStyle(element);
    const layers = ancestry(element).map((each) => getComputedStyle(each).backgroundColor);
    const background = luminance(paint(layers));
    const ink = luminance(paint([...layers, element.namespaceURI.endsWith("svg") ? style.fill : style.color]));
    const [light, dark] = ink > background ? [ink, background] : [background, ink];
    const name = element.dataset.testid ?? `${element.tagName}.${element.getAttribute("class") ?? ""}`;
    const what = `${name}: ${(element.textContent || element.value).trim().slice(0, 40)}`;
    measured.push({ what, contrast: (light + 0.05) / (dark + 0.05) });
  }
  return measured;
}"""


@dataclass(frozen=True)
class Measured:
    """The contrast of one element's text, from 1 to 21."""

    what: str
    contrast: float


def text_contrasts(page: Page) -> list[Measured]:
    """Gives the contrast of all text that can be seen, but for that of disabled controls."""
    return [Measured(**each) for each in page.evaluate(MEASURE)]


def page_background(page: Page) -> str:
    """Gives the colour behind everything."""
    colour: str = page.evaluate(
        "[document.body, document.documentElement].map((each) => getComputedStyle(each).backgroundColor)"
        ".find((colour) => colour !== 'rgba(0, 0, 0, 0)') ?? 'none'"
    )
    return colour
