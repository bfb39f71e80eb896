"""Which call a log record belongs to, for whoever writes ids into logs.

LOGGING = {
    "filters": {"call": {"()": "grpc_bridge.call_id.CallIdFilter"}},
    "handlers": {"console": {"filters": ["call"], ...}},
}

gives every record that is made while a call is served, by its handler and by whatever that calls, the attribute `call`:
the id that the log line of the call has, and that a caller is told. It is known in the handler's task or thread and in
those that get its context variables, as by `asyncio.create_task` and `sync_to_async`.

Where no such filter has been made calls are not kept track of, because that would cost something.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grpc_bridge.call_state import CallContext

CallToken = Token["CallContext | None"]

current: ContextVar[CallContext | None] = ContextVar("grpc_bridge_call", default=None)
"""The call that records belong to which are made now. It is only set where `is_wanted`."""

is_wanted = False
"""Whether a filter has been made."""


class CallIdFilter(logging.Filter):
    """Lets all records pass, and gives those of a call the attribute `call`, unless they have one."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        global is_wanted
        is_wanted = True

    def filter(self, record: logging.LogRecord) -> bool:
        """Looks for the call."""
        context = current.get()
        if context is not None and not hasattr(record, "call"):
            record.call = context.call_id
        return super().filter(record)


def begin(context: CallContext) -> CallToken | None:
    """From here on, in this task or thread, records belong to a call. Gives what `end` needs."""
    return current.set(context) if is_wanted else None


def end(token: CallToken | None) -> None:
    """What comes now belongs to what was before."""
    if token is not None:
        current.reset(token)
