"""An id for each request of a view: in every record that is logged for it, and in the answer as `X-Request-ID`.

An id that comes with the request is taken over where proxies stand in front (`TRUSTED_PROXY_COUNT`): the nearest one
has made it or let it pass, and its own log has it too. From anybody else it would be a way to write into our logs.

RPCs have an id of their own: see `grpc_bridge/call_id.py`.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import cast

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

HEADER = "X-Request-ID"
ATTRIBUTE = "request_id"

SyncHandler = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

_is_well_formed = re.compile(r"[\w.:-]{1,100}", re.ASCII).fullmatch

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestIdFilter(logging.Filter):
    """Lets all records pass, and gives those of a request the attribute `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Looks for the request: Django logs some answers when all middleware is through, but then names it."""
        found = getattr(getattr(record, "request", None), ATTRIBUTE, None) or _current.get()
        if found is not None:
            record.request_id = found
        return super().filter(record)


@sync_and_async_middleware
def request_id(get_response: SyncHandler | AsyncHandler) -> SyncHandler | AsyncHandler:
    """Gives each request its id."""
    if iscoroutinefunction(get_response):
        async_handler = cast("AsyncHandler", get_response)

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            found = _begin(request)
            token = _current.set(found)
            try:
                response = await async_handler(request)
            finally:
                _current.reset(token)
            response[HEADER] = found
            return response

        return answer_async
    sync_handler = cast("SyncHandler", get_response)

    def answer(request: HttpRequest) -> HttpResponseBase:
        found = _begin(request)
        token = _current.set(found)
        try:
            response = sync_handler(request)
        finally:
            _current.reset(token)
        response[HEADER] = found
        return response

    return answer


def _begin(request: HttpRequest) -> str:
    given = request.headers.get(HEADER, "") if settings.TRUSTED_PROXY_COUNT else ""
    found = given if _is_well_formed(given) else uuid.uuid4().hex
    setattr(request, ATTRIBUTE, found)
    return found
