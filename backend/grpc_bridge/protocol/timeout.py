"""The `grpc-timeout` header. Rules: grpc/grpc doc/PROTOCOL-HTTP2.md, "Timeout"."""

from __future__ import annotations

import math
import re

from grpc_bridge.protocol.status import StatusCode, StatusError

_SECONDS_PER_UNIT = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

# The rule says at most eight digits, but grpc-web and protobuf-ts write any deadline in milliseconds, which takes more
# for anything beyond 27 hours. A grpcio server takes more digits as well.
_TIMEOUT = re.compile(r"([0-9]{1,19})([HMSmun])")

LONGEST_SECONDS = 10 * 365 * 86400.0
"""Longer timeouts are cut to this, so that no clock arithmetic downstream overflows. In seconds."""


def decode_timeout(value: str) -> float:
    """Gives the timeout in seconds.

    Raises `StatusError` INTERNAL, as a grpcio server answers, for anything but digits and a unit.
    """
    match = _TIMEOUT.fullmatch(value)
    if match is None:
        raise StatusError(StatusCode.INTERNAL, "Error parsing 'grpc-timeout'")
    digits, unit = match.groups()
    return min(int(digits) * _SECONDS_PER_UNIT[unit], LONGEST_SECONDS)


def encode_timeout(seconds: float) -> str:
    """Gives the header for a timeout in seconds, rounded up to what the finest unit of at most eight digits can say."""
    for unit, unit_seconds in reversed(_SECONDS_PER_UNIT.items()):
        units = math.ceil(max(min(seconds, LONGEST_SECONDS), 0.0) / unit_seconds)
        if units < 10**8:
            return f"{units}{unit}"
    raise AssertionError("ten years are less than 10**8 hours")
