"""What carries a call over HTTP/1.1: one request of aiohttp's, in a task of the event loop.

A call has a connection for itself, and hands it back when the answer has come to its end. Its request goes out as the
messages come; the answer is read at the same time, as far as the server and all between let both happen at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import grpc

from grpc_bridge.calling.aio_exchange import AioExchange
from grpc_bridge.calling.answer import CANCELLED, DEADLINE_EXCEEDED, Answer, Outcome
from grpc_bridge.calling.method import CallOptions, StubMethod, timeout_header
from grpc_bridge.client.credentials import PluginError, check_call_credentials, headers_of_plugin
from grpc_bridge.client.pool import READ_BYTES, Pool, State, drop_what_was_not_sent, pauses, transport_of_call

END_SECONDS = 1.0
"""How long it is waited for the end of a body that says nothing more: after the status, and of a page that is no answer
to a call. Without its end the connection cannot be used again."""

_LOST = grpc.StatusCode.UNAVAILABLE


class HttpExchange(AioExchange):
    """One request of aiohttp's, and its response. All but `end` happens on the pool's event loop."""

    def __init__(self, pool: Pool, method: StubMethod, options: CallOptions) -> None:
        """Raises `ValueError` for metadata that may not travel, and for credentials that cannot be used."""
        super().__init__(Answer(method))
        self.answer.hold_back()  # until the connection is free, so that the caller's next call finds it
        check_call_credentials(options.credentials)
        self._pool = pool
        self._url = pool.options.url(method.path)
        self._headers = [*options.headers(), *pool.headers]
        self._options = options
        self._deadline = None if options.timeout is None else pool.loop.time() + options.timeout
        self._timer: asyncio.TimerHandle | None = None
        self.on_change: Callable[[], object] | None = None
        """Called at each change."""

    def start(self) -> asyncio.Task[None]:
        task = super().start()
        if self._deadline is not None:
            self._timer = self._pool.loop.call_at(self._deadline, self.end, DEADLINE_EXCEEDED)
        return task

    def end(self, outcome: Outcome) -> bool:
        """Ends the call, in any thread, unless it is over already: then this gives False."""
        is_new = self.answer.end(outcome)
        if is_new:
            with contextlib.suppress(RuntimeError):  # of a loop that is closed, where nothing runs any more
                self._pool.loop.call_soon_threadsafe(self._stop)
        return is_new

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self.notify()

    def notify(self) -> None:
        if self._timer is not None and not self.is_open:
            self._timer.cancel()
        on_change = self.on_change
        super().notify()
        if on_change is not None:
            on_change()

    async def run(self) -> None:
        transport_of_call.set(None)
        try:
            if self._options.credentials is not None:
                self._headers += await headers_of_plugin(self._options.credentials, self._url)
            if self._deadline is None or self._deadline > self._pool.loop.time():
                await self._send()
            else:
                self.answer.end(DEADLINE_EXCEEDED)
        except PluginError as error:
            self.answer.end(error.outcome)
        except aiohttp.ClientError as error:
            self.answer.end(_failed(error))
        except Exception as error:  # nothing may leave a caller waiting
            self.answer.end(Outcome(grpc.StatusCode.INTERNAL, f"The call failed: {error!r}", (), error))
        finally:
            if self.is_open:
                self.answer.end(CANCELLED)  # the event loop ends, and all its tasks
            drop_what_was_not_sent(transport_of_call.get())
            self.answer.let_go()
            self.notify()

    async def _send(self) -> None:
        """Sends the request, as soon as there is a connection, if the caller waits for that."""
        for pause in pauses():
            try:
                async with self._pool.session.post(self._url, **self._request()) as response:
                    self._pool.connectivity.set(State.READY)
                    await self._receive(response)
                    return
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):  # nothing has been sent
                self._pool.connectivity.set(State.TRANSIENT_FAILURE)
                if not self._options.wait_for_ready:
                    raise
            await asyncio.sleep(pause)

    def _request(self) -> dict[str, Any]:
        headers = self._headers
        if self._deadline is not None:
            headers = [*headers, timeout_header(self._deadline - self._pool.loop.time())]
        whole = self.whole_request()
        return {
            "allow_redirects": False,
            # aiohttp warns of bytes that are many, and takes them gladly as a file.
            "data": self._body() if whole is None else whole if len(whole) < READ_BYTES else io.BytesIO(whole),
            "headers": headers,
            "server_hostname": self._pool.options.server_name,
        }

    async def _body(self) -> AsyncIterator[bytes]:
        while (piece := await self.next_piece()) is not None:
            if piece.data:
                yield piece.data
            if not piece.more:
                return
        await self._pool.loop.create_future()  # what is cut short must not look whole; aiohttp cancels this

    async def _receive(self, response: aiohttp.ClientResponse) -> None:
        self.answer.start(response.status, response.headers.items())
        self.notify()
        content = response.content
        if not self.answer.is_rpc:
            await self._receive_page(content)
        while self.is_open:
            data = await content.readany()
            if not data:
                self.answer.end_of_body()
                break
            self.answer.receive_data(data)
            self.notify()
            await self.room_for_responses()
        if self.answer.has_status and not content.at_eof():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await content.readany()
        if not content.at_eof():
            response.close()

    async def _receive_page(self, content: aiohttp.StreamReader) -> None:
        """Reads what came in place of an answer, as far as it comes soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while self.is_open and (data := await content.readany()):
                    self.answer.receive_data(data)
        self.answer.end_of_body()


def _failed(error: aiohttp.ClientError) -> Outcome:
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Outcome(_LOST, f"Failed to connect: {error}", (), error)
    if isinstance(error, aiohttp.ClientResponseError):
        return Outcome(grpc.StatusCode.UNKNOWN, f"The answer is not HTTP: {error.message}", (), error)
    return Outcome(_LOST, f"Connection lost: {error}", (), error)
