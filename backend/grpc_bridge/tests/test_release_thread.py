"""Streams that wait for long let go of the thread that asked the database for them."""

from __future__ import annotations

import asyncio
import threading

from asgiref.sync import sync_to_async
from django.core.signals import request_finished

from grpc_bridge import release_thread
from grpc_bridge.lifecycle import AsyncCallThread

current_thread = sync_to_async(threading.current_thread)


async def test_a_thread_that_is_released_ends_as_at_the_end_of_a_call():
    finished_in = []

    def remember(**_: object) -> None:
        finished_in.append(threading.current_thread())

    request_finished.connect(remember)
    try:
        with AsyncCallThread():
            first = await current_thread()
            assert await current_thread() is first
            release_thread()
            await asyncio.to_thread(first.join)
            assert finished_in == [first]
            second = await current_thread()
            assert second is not first
        await asyncio.to_thread(second.join)
        assert finished_in == [first, second]
    finally:
        request_finished.disconnect(remember)


async def test_without_a_thread_there_is_nothing_to_release():
    release_thread()
    with AsyncCallThread():
        release_thread()
        release_thread()
