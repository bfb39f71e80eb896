"""A unary call of a `def` handler that has a deadline: the handler runs in a thread of the pool, and the server's waits
for it, but no longer than until then. What is left behind learns of the end by its context."""

from __future__ import annotations

import time
from functools import partial
from queue import Empty, SimpleQueue

from grpc_bridge.call import Call
from grpc_bridge.dispatch import run_unary
from grpc_bridge.executors import run_in_call_thread
from grpc_bridge.loops import Outcome, outcome


def run_in_time(call: Call, request: bytes) -> bytes | None:
    """Runs the handler and gives the bytes of its response, None without any.

    Raises `StatusError` RESOURCE_EXHAUSTED when no thread is free and no more calls may wait for one.
    """
    context = call.context
    ends: SimpleQueue[Outcome[bytes | None] | None] = SimpleQueue()
    context.on_terminate = partial(ends.put, None)
    left = 0.0 if context.deadline is None else context.deadline - time.monotonic()
    if left <= 0:
        context.expire()
    if not context.active:
        return None
    job = run_in_call_thread(partial(run_unary, call, request), call.settings, ends.put)
    try:
        end = ends.get(timeout=left)
    except Empty:
        context.expire()
        end = None
    except BaseException:  # the server ends, and has said so to its thread
        context.disconnect()
        job.cancel()
        raise
    if end is None:
        job.cancel()
        return None
    try:
        return outcome(end)
    except Exception as error:  # of a receiver of Django's signals
        context.fail(error)
        return None
    finally:
        del end  # or its error would keep this frame, and this frame the error
