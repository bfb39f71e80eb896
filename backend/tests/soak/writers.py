"""Clients that send a request one byte after the other: servers lose patience, hold no memory for what was announced,
and serve others meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from grpc_bridge.protocol.frames import HEADER
from tests.soak.caller import ECHO, Route
from tests.soak.crowd import Crowd
from tests.soak.options import REQUEST_BODY_SECONDS, Options
from tests.soak.processes import Service
from tests.soak.report import Report
from tests.soak.usage import MIB, memory_of

ANNOUNCED_BYTES = 4_000_000
"""Just what a message may have."""

PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = REQUEST_BODY_SECONDS + 5.0
BOUND_BYTES = 256 * 1024
"""What such a client may cost a server."""

SLACK_BYTES = 8 * MIB


async def slow_writers(
    place: str, routes: Sequence[Route], services: Sequence[Service], options: Options, report: Report
) -> list[dict[str, Any]]:
    """Lets them come. Gives a row for each server."""
    before = {service.name: memory_of(service.pids()) for service in services}
    head = HEADER.pack(0, ANNOUNCED_BYTES)
    with Crowd() as crowd:
        for number in range(options.readers):
            route = routes[number % len(routes)]
            is_text = route.is_text
            body = b"AAA9CQAA"[: 8 if is_text else 0] if is_text else head
            length = ANNOUNCED_BYTES + len(head)
            crowd.connect(route, route.head(ECHO.path, length // 3 * 4 if is_text else length) + body)
        began = time.monotonic()
        ended = await crowd.drip(PATIENCE_SECONDS, PAUSE_SECONDS, b"A")
        seconds = time.monotonic() - began
        after = {service.name: memory_of(service.pids()) for service in services}
    left = ended.count(None)
    if left:
        report.problems.append(
            f"{place}: {left} of {len(ended)} slow writers are still waited for after {seconds:.1f} s"
        )
    rows = []
    for service in services:
        grown = after[service.name] - before[service.name]
        if grown > options.readers * BOUND_BYTES + SLACK_BYTES:
            report.problems.append(f"{service.name}: slow writers cost {grown / MIB:.1f} MiB")
        known = [one for one in ended if one is not None]
        rows.append(
            {
                "server": service.name,
                "clients": len(ended),
                "memory grown MiB": round(grown / MIB, 1),
                "ended after s": f"{min(known):.1f} to {max(known):.1f}" if known else "never",
            }
        )
    return rows
