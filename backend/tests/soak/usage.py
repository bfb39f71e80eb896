"""What the servers use of the machine, as Linux tells it: memory and computing time. Nothing is known elsewhere.

Memory is what a process has for itself. Programs and libraries are not counted, which processes share, and which the
system may drop at any time; nor is what PostgreSQL's processes share on purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

IS_KNOWN = Path("/proc/self/status").exists()
MIB = 1024 * 1024
SAMPLE_SECONDS = 0.5

Pids = Callable[[], Sequence[int]]


def memory_of(pids: Sequence[int]) -> int:
    """Gives the memory of processes in bytes; those that have ended have none."""
    return sum(_memory(pid) for pid in pids)


def _memory(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(values["RssAnon"].split()[0]) * 1024 if "RssAnon" in values else 0  # without it, it is about to end


def cpu_of(pid: int) -> float:
    """Gives the time that a process has computed, in seconds."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Used:
    """What one server has used while it was watched."""

    memory_first: int = 0
    memory_most: int = 0
    memory_last: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def cores(self) -> float:
        """How much of a core it has used on average."""
        return self.cpu_seconds / self.seconds if self.seconds else 0.0

    def figures(self) -> dict[str, float]:
        """Gives the figures by what they are called."""
        mib = {
            "memory first, MiB": self.memory_first,
            "memory most, MiB": self.memory_most,
            "memory last, MiB": self.memory_last,
        }
        return {"CPU, cores": round(self.cores, 2)} | {name: round(value / MIB, 1) for name, value in mib.items()}


@dataclass
class _Watch:
    pids: Pids
    used: Used = field(default_factory=Used)
    _cpu: dict[int, float] = field(default_factory=dict)

    def look(self, is_first: bool) -> None:
        pids = self.pids()
        memory = memory_of(pids)
        used = self.used
        if is_first:
            used.memory_first = memory
        used.memory_most, used.memory_last = max(used.memory_most, memory), memory
        for pid in pids:
            now = cpu_of(pid)
            # What a process computes before it is first seen, or after it is last seen, is not counted.
            used.cpu_seconds += max(now - self._cpu.get(pid, now), 0)
            self._cpu[pid] = now


@contextlib.asynccontextmanager
async def watched(servers: Mapping[str, Pids]) -> AsyncIterator[dict[str, Used]]:
    """Watches servers until the end of the block. What is given is complete then; nothing if it cannot be known."""
    watches = {name: _Watch(pids) for name, pids in servers.items()} if IS_KNOWN else {}
    began = time.monotonic()

    def look(is_first: bool = False) -> None:
        for watch in watches.values():
            watch.look(is_first)
            watch.used.seconds = time.monotonic() - began

    async def go_on() -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            look()

    look(is_first=True)
    task = asyncio.ensure_future(go_on())
    try:
        yield {name: watch.used for name, watch in watches.items()}
    finally:
        task.cancel()
        look()
