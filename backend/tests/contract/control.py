"""What a test does to a server beside the call that it looks at: opens gates and reads what handlers noted down."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from tests.contract.case import Call, Transport
from tests.contract.methods import SYNC
from tests.servers import Server

PATIENCE_SECONDS = 15.0
"""How long a test waits for what must happen. Loaded machines are slow; only a test that fails waits so long."""

POLL_SECONDS = 0.01


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Asks until the condition holds. Gives False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def new_key() -> str:
    """Gives a name under which nothing has been noted yet."""
    return uuid.uuid4().hex


def resident_bytes(server: Server) -> int:
    """Gives the memory that the worker occupies."""
    for line in Path(f"/proc/{server.worker_pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


class Control:
    """The bookkeeping of one server: see `servicers/bookkeeping.py`. It is asked by methods of one flavour."""

    def __init__(self, transport: Transport, flavour: str = SYNC) -> None:
        self._transport = transport
        self._flavour = flavour

    def _call(self, method: str, text: str) -> Any:
        (message,) = self._transport.call(self._flavour, Call(method, [StringValue(value=text)])).messages
        return message

    def open_gate(self, key: str) -> None:
        """Lets the handlers go on that wait for this key."""
        self._call("OpenGate", key)

    def events(self, key: str) -> list[str]:
        """Gives what has been noted under this key."""
        return list(self._call("Events", key))

    def invocations(self, flavour: str, method: str) -> int:
        """Gives how often a handler has begun."""
        count: int = self._call("Invocations", f"{flavour}/{method}").value
        return count

    def assert_noted(self, key: str, *expected: str) -> None:
        """Waits until all of `expected` have been noted under this key. Raises `AssertionError` if they never are."""
        assert eventually(lambda: set(expected) <= set(self.events(key))), (expected, self.events(key))

    def assert_noted_exactly(self, key: str, *expected: str) -> None:
        """Waits until nothing but `expected` has been noted, in this order."""
        assert eventually(lambda: self.events(key) == list(expected)), (expected, self.events(key))
