"""Middleware of the whole site. Each runs in Django's sync and async handlers alike, without a thread between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import FileResponse, HttpRequest, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware

READ_SIZE = 64 * 1024

Response = HttpResponseBase
SyncHandler = Callable[[HttpRequest], Response]
AsyncHandler = Callable[[HttpRequest], Awaitable[Response]]


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """whitenoise, with files sent piece by piece under ASGI too.

    whitenoise answers with a synchronous file iterator, which Django's ASGI handler would read into memory as a whole,
    with a warning.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: SyncHandler | AsyncHandler) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response | Awaitable[Response]:
        """Answers with a file where one has this path, else with what the rest of the site says."""
        answer: Response | Awaitable[Response] = super().__call__(request)
        if not iscoroutinefunction(self):
            return answer
        return _async_answer(answer)


async def _async_answer(answer: Response | Awaitable[Response]) -> Response:
    if isinstance(answer, FileResponse):
        answer.streaming_content = _pieces(answer.file_to_stream)
        return answer
    return await cast("Awaitable[Response]", answer)


async def _pieces(file: BinaryIO | None) -> AsyncIterator[bytes]:
    """Reads the file on worker threads. There is none where headers are the whole answer, as for HEAD or 304."""
    if file is None:
        return
    read = sync_to_async(file.read, thread_sensitive=False)
    while piece := await read(READ_SIZE):
        yield piece
