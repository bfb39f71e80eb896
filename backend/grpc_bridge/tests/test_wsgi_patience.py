"""The watch over requests that arrive too slowly."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from grpc_bridge.transports import wsgi_patience
from grpc_bridge.transports.wsgi_patience import LOOK_SECONDS, limited

WAIT_SECONDS = 10.0


class CountedEvent(threading.Event):
    """Counts how often whoever waits for it has been let go on."""

    count = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Waits."""
        happened = super().wait(timeout)
        type(self).count += 1
        return happened


@pytest.fixture(autouse=True)
def fresh_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch of its own for each test."""
    CountedEvent.count = 0
    monkeypatch.setattr(wsgi_patience, "_watch", None)
    monkeypatch.setattr(wsgi_patience, "threading", SimpleNamespace(Thread=threading.Thread, Event=CountedEvent))


def test_requests_that_are_there_at_once_wake_nobody() -> None:
    started = time.monotonic()
    for _ in range(200):
        with limited(WAIT_SECONDS, pytest.fail):
            pass
        time.sleep(0.001)  # lets go of the interpreter, as a server does between requests
    looks = (time.monotonic() - started) / LOOK_SECONDS
    assert CountedEvent.count <= 1 + looks


def test_who_waits_too_long_is_told_once_and_whoever_does_not_is_never() -> None:
    told: list[str] = []
    late = threading.Event()

    def give_up() -> None:
        told.append("late")
        late.set()

    for _ in range(2):  # the second time the watch has been idle
        with limited(WAIT_SECONDS, lambda: told.append("in time")), limited(0.0, give_up):
            assert late.wait(WAIT_SECONDS)
        late.clear()
        while wsgi_patience._watch is not None and wsgi_patience._watch._somebody_waits.is_set():
            time.sleep(0.01)
    assert told == ["late", "late"]


def test_who_comes_while_others_wait_is_looked_after_as_well() -> None:
    first, second = threading.Event(), threading.Event()
    with limited(0.0, first.set):
        assert first.wait(WAIT_SECONDS)
        with limited(0.0, second.set):
            assert second.wait(WAIT_SECONDS)
