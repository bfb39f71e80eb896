"""One line in the log for each call: `key=value` pairs, or the same by name for a formatter that makes JSON of them.

    method=/echo.v1.EchoService/Echo peer=ipv4:127.0.0.1:50000 status=OK duration_ms=0.412 request_messages=1
    request_bytes=7 response_messages=1 response_bytes=7 call=83c4a5f19be34c1f8d0a86d1c2f5a9b7        (one line)

It goes to the logger `grpc_bridge.calls` at level INFO. A value that a caller could have made up to look like another
entry is written as a JSON string. Bytes are those of messages, uncompressed and without frames. `call` is the id under
which an unknown exception of a handler is logged. A call that ended early is logged then, though its `def` handler may
still run.
"""

from __future__ import annotations

import json
import logging
import re
import time
from typing import Any

from grpc_bridge.call import Call
from grpc_bridge.call_state import CallContext, CallSource
from grpc_bridge.protocol.status import StatusCode, StatusError

logger = logging.getLogger("grpc_bridge.calls")

MAX_VALUE_CHARACTERS = 200
"""How much is written of a value that a caller has made up."""

_is_plain = re.compile(r"[\w./:\[\]-]{1,200}", re.ASCII).fullmatch
_NAMES = [code.name for code in StatusCode]


def is_on() -> bool:
    """Whether a line would be written now, if the settings want one."""
    return logger.isEnabledFor(logging.INFO)


class LoggedCall(Call):
    """A call that is logged when it ends. It counts what passes; calls that are not logged do not."""

    __slots__ = ("_started", "request_bytes", "request_messages", "response_bytes", "response_messages")

    def __init__(self, context: CallContext) -> None:
        super().__init__(context)
        self.request_messages = self.request_bytes = self.response_messages = self.response_bytes = 0
        self._started = time.perf_counter()
        context.at_end(self._log)

    def decode(self, message: bytes) -> Any:
        """Gives the request that a message is, as `Call` does."""
        self.request_messages += 1
        self.request_bytes += len(message)
        return super().decode(message)

    def encode(self, response: Any) -> bytes:
        """Gives the message that a response is, as `Call` does."""
        message = super().encode(response)
        self.response_messages += 1
        self.response_bytes += len(message)
        return message

    def _log(self) -> None:
        context = self.context
        _write(
            Entry(
                {
                    "message": "call ended",
                    "method": context.call_path,
                    "peer": context.peer(),
                    "status": _NAMES[context.status()[0]],
                    "duration_ms": round((time.perf_counter() - self._started) * 1000, 3),
                    "request_messages": self.request_messages,
                    "request_bytes": self.request_bytes,
                    "response_messages": self.response_messages,
                    "response_bytes": self.response_bytes,
                    "call": context.call_id,
                }
            )
        )


class Entry(dict[str, Any]):
    """What is logged of one call: by name for whoever formats it (JSON formatters take a dict for fields), and as text
    the line that the top of this module shows."""

    __slots__ = ()

    def __str__(self) -> str:
        """Gives the line."""
        return (
            f"method={_value(self['method'])} peer={_value(self['peer'])} status={self['status']}"
            f" duration_ms={self['duration_ms']:.3f}"
            f" request_messages={self['request_messages']} request_bytes={self['request_bytes']}"
            f" response_messages={self['response_messages']} response_bytes={self['response_bytes']}"
            f" call={self['call']}"
        )


def log_refused(path: str, source: CallSource, error: StatusError) -> None:
    """Writes the line of a call that was refused by its headers."""
    _write(
        Entry(
            {
                "message": "call refused",
                "method": path[: MAX_VALUE_CHARACTERS + 1],  # `_value` sees that it is too long
                "peer": source.peer(),
                "status": error.code.name,
                "duration_ms": 0.0,
                "request_messages": 0,
                "request_bytes": 0,
                "response_messages": 0,
                "response_bytes": 0,
                "call": "refused",
            }
        )
    )


def _write(entry: Entry) -> None:
    # What `logger.info(entry)` does, without looking for the line of code that said so, which costs as much again.
    logger.handle(logging.LogRecord(logger.name, logging.INFO, __file__, 0, entry, (), None))


def _value(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text[:MAX_VALUE_CHARACTERS])
