"""What the measurements need of the machine: two cores apart, many open files, and the time and memory of processes."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable

import psutil

OPEN_FILES = 24_000


def cores() -> tuple[int, int] | None:
    """Gives the core for servers and the one for clients; None where processes cannot be bound, or one core is all."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(_USABLE)
    return (usable[0], usable[-1]) if len(usable) > 1 else None


_USABLE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def bind_client() -> None:
    """Binds this process, which is the client, to its core."""
    if (both := cores()) is not None:
        os.sched_setaffinity(0, {both[1]})


def bind_server() -> None:
    """In a process that is about to become a server: binds it and all that it starts to the servers' core."""
    if (both := cores()) is not None:
        os.sched_setaffinity(0, {both[0]})


def allow_open_files() -> int:
    """Raises how many files this process and its children may open, as far as that goes. Gives the limit."""
    try:
        import resource  # noqa: PLC0415 - not everywhere
    except ImportError:
        return 512
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return OPEN_FILES
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def too_few_files() -> str:
    """Gives a sentence for whoever wonders why fewer streams are held than were wanted."""
    return f"A process may open {allow_open_files():,} files here; `ulimit -Hn` shows the limit that is in the way."


def _family(pids: Iterable[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            found += [process, *process.children(recursive=True)]
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Gives the time that these processes and their children have had on any core, in user mode and in the kernel."""
    total = 0.0
    for process in _family(pids):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def resident_bytes(pids: Iterable[int]) -> int:
    """Gives the memory that these processes and their children have."""
    total = 0
    for process in _family(pids):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def busy_seconds() -> float:
    """Gives how long the servers' core has been busy with whatever it was, 0.0 where nothing is bound to any."""
    both = cores()
    if both is None:
        return 0.0
    times = psutil.cpu_times(percpu=True)[both[0]]
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def description() -> str:
    """Gives one line about this machine."""
    bound = "servers on one, clients on another" if cores() else "nothing bound to a core"
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores: {bound}"
    )
