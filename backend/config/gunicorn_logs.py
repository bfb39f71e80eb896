"""gunicorn's own logs as JSON objects, beside those of the application: see `logs.py`."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

from config.logs import JsonFormatter

ACCESS_FIELDS = {
    "h": "peer",
    "m": "http_method",
    "U": "path",
    "s": "http_status",
    "B": "response_bytes",
    "a": "user_agent",
    "{x-request-id}o": "request_id",
}
"""What is told of a request: gunicorn's name, and ours. The query is not, because people put secrets there."""

NUMBERS = ("http_status", "response_bytes")


class AccessFormatter(JsonFormatter):
    """Makes an object of what gunicorn tells of a request."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Adds what the text of the record has, by name and as numbers."""
        super().add_fields(log_data, record, message_dict)
        atoms: Any = record.args
        fields = {name: atoms[atom] for atom, name in ACCESS_FIELDS.items()}
        log_data["message"] = "request ended"
        log_data["duration_ms"] = round(float(atoms["L"]) * 1000, 3)
        log_data |= {
            name: int(value) if name in NUMBERS else value for name, value in fields.items() if value not in ("-", None)
        }


class JsonLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger with other formatters."""

    def setup(self, cfg: Any) -> None:
        """Sets the handlers up, also again for a reload."""
        super().setup(cfg)
        for log, formatter in ((self.error_log, JsonFormatter()), (self.access_log, AccessFormatter())):
            for handler in log.handlers:
                handler.setFormatter(formatter)
