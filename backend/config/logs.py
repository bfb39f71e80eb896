"""How log records are written: as lines for people, or as JSON objects for programs, one a line.

Environment read here:
    DJANGO_LOG_FORMAT    "line" or "json" (default: json with production settings, else line)

An object has `time`, `level`, `logger`, `message` and `process`; `exception`, if there is one; `call` if the record was
made for an RPC, and `request_id` if for a view; and whatever else a record was given (`extra=...`).

gunicorn's master imports this as well: nothing of Django or the application may come with it.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter as BaseJsonFormatter

PROD = "config.settings.prod"
LINE, JSON = "line", "json"

FIELDS = {"asctime": "time", "levelname": "level", "name": "logger", "message": "message", "process": "process"}
"""What every object has: the attribute of the record, and its name."""

NOT_WRITTEN = ("request", "server_time", "color_message", "taskName")
"""What Django and servers put into records for handlers of their own."""

FILTERS = {
    "call": {"()": "grpc_bridge.call_id.CallIdFilter"},
    "request": {"()": "pages.request_id.RequestIdFilter"},
}
"""What gives records their ids."""


class JsonFormatter(BaseJsonFormatter):
    """Makes an object of a record."""

    def __init__(self) -> None:
        super().__init__(
            list(FIELDS),
            rename_fields=FIELDS | {"exc_info": "exception", "stack_info": "stack"},
            reserved_attrs=[*RESERVED_ATTRS, *NOT_WRITTEN],
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Gives the time in UTC, as RFC 3339 has it."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def log_format() -> str:
    """Gives the format that the environment asks for. Raises `ValueError` for one that there is not."""
    is_prod = os.environ.get("DJANGO_SETTINGS_MODULE", PROD) == PROD  # the default of the entry points
    found = os.environ.get("DJANGO_LOG_FORMAT") or (JSON if is_prod else LINE)
    if found not in (LINE, JSON):
        raise ValueError(f"DJANGO_LOG_FORMAT must be {LINE} or {JSON}, not {found!r}")
    return found


def logging_config(level: str, call_level: str) -> dict[str, Any]:
    """Gives Django's `LOGGING`: all records to standard error. `call_level` is for the line that each RPC leaves."""
    written = log_format()
    filters = FILTERS if written == JSON else {}  # made only where they are used: they have their price
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": filters,
        "formatters": {
            LINE: {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            JSON: {"()": "config.logs.JsonFormatter"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": written,
                "filters": list(filters),
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's own handlers would print a second time, or send mail.
            "django": {"handlers": [], "level": "INFO"},
            # A line for each RPC, from INFO on. Above it, calls are not even counted.
            "grpc_bridge.calls": {"level": call_level},
        },
    }
