"""A record of what a stream's readout showed and when, kept in the page by an observer that the page knows nothing of.

It is the second witness of arrival times: the page's own numbers say when messages were handed over, this one says what
a person could see at which moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

OBSERVE = """() => {
  const state = document.querySelector("[data-testid=stream-call-state]");
  const rows = document.querySelector("[data-testid=stream-messages]");
  const entries = (window.streamJournal = []);
  const note = () => {
    const entry = { ms: performance.now(), state: state.dataset.state, rows: rows.childElementCount };
    const last = entries.at(-1);
    if (!last || last.state !== entry.state || last.rows !== entry.rows) entries.push(entry);
  };
  const observer = new MutationObserver(note);
  observer.observe(state, { attributes: true });
  observer.observe(rows, { childList: true });
}"""


@dataclass(frozen=True)
class Entry:
    """What was shown from `ms` (milliseconds of the page's life) until the next entry."""

    ms: float
    state: str
    rows: int


class Journal:
    """Writes an entry whenever the state of the stream or the number of its rows changes, from now on."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(OBSERVE)

    def entries(self) -> list[Entry]:
        """Gives all entries so far."""
        return [Entry(**entry) for entry in self._page.evaluate("window.streamJournal")]

    def states(self) -> list[str]:
        """Gives the states in their order, each once for as long as it lasted."""
        states: list[str] = []
        for entry in self.entries():
            if states[-1:] != [entry.state]:
                states.append(entry.state)
        return states
