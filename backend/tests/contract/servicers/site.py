"""What Django gives a handler: the ORM, connections that are recycled, signals; and context variables."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model, login
from django.contrib.sessions.backends.db import SessionStore
from django.core.signals import request_finished, request_started
from django.db import connection
from django.http import HttpRequest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import ListValue
from google.protobuf.wrappers_pb2 import BoolValue, Int32Value, StringValue

from grpc_bridge import aget_user, get_session, get_user
from tests.contract.servicers.bookkeeping import events
from tests.contract.servicers.lifetime import MAX_TICKS, TICK_SECONDS

SIGNALS_KEY = "signals"

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def _note_started(**_: Any) -> None:
    events[SIGNALS_KEY].append("request_started")


def _note_finished(**_: Any) -> None:
    events[SIGNALS_KEY].append("request_finished")


def _listen(on: bool) -> Empty:
    for signal, receiver in ((request_started, _note_started), (request_finished, _note_finished)):
        if on:
            signal.connect(receiver, dispatch_uid="contract")
        else:
            signal.disconnect(dispatch_uid="contract")
    return Empty()


def _count_users() -> Int32Value:
    return Int32Value(value=get_user_model().objects.count())


def _connection_is_open() -> BoolValue:
    """Whether this thread has a connection before it asks for one; then it asks for one."""
    is_open = connection.connection is not None
    _count_users()
    return BoolValue(value=is_open)


def _thread_connection(expires: bool) -> ListValue:
    """Gives the thread's name, and whether it had a connection. Has one then, which is too old if it `expires`."""
    answer = ListValue()
    answer.extend([threading.current_thread().name, connection.connection is not None])
    _count_users()
    if expires:
        connection.close_at = 0
    return answer


def _swap_variable(value: str) -> StringValue:
    before = variable.get()
    variable.set(value)
    return StringValue(value=before)


def _log_in(email: str) -> StringValue:
    """Makes a user who may see the admin and logs in. Gives what a browser would send as its cookie."""
    request = HttpRequest()
    request.session = SessionStore()
    request.session["colour"] = "green"
    login(request, get_user_model().objects.create_superuser(email=email, password=None))
    request.session.save()
    return StringValue(value=f"theme=dark; sessionid={request.session.session_key}")


class Sync:
    """As `def` handlers."""

    def AddUser(self, request: StringValue, context: Any) -> Empty:
        get_user_model().objects.create(email=request.value)
        return Empty()

    def CountUsers(self, request: Empty, context: Any) -> Int32Value:
        return _count_users()

    def CountUsersInStream(self, request: Empty, context: Any) -> Iterator[Int32Value]:
        yield _count_users()
        yield _count_users()

    def TickWithDatabase(self, request: StringValue, context: Any) -> Iterator[Int32Value]:
        try:
            for _ in range(MAX_TICKS):
                yield _count_users()
                time.sleep(TICK_SECONDS)
        finally:
            events[request.value].append("ended")

    def ConnectionIsOpen(self, request: Empty, context: Any) -> BoolValue:
        return _connection_is_open()

    def ThreadConnection(self, request: BoolValue, context: Any) -> ListValue:
        return _thread_connection(request.value)

    def ListenToSignals(self, request: BoolValue, context: Any) -> Empty:
        return _listen(request.value)

    def ContextVariable(self, request: StringValue, context: Any) -> StringValue:
        return _swap_variable(request.value)

    def ContextVariableInStream(self, request: StringValue, context: Any) -> Iterator[StringValue]:
        yield _swap_variable(request.value)
        yield StringValue(value=variable.get())

    def ThreadName(self, request: Empty, context: Any) -> StringValue:
        return StringValue(value=threading.current_thread().name)

    def LogIn(self, request: StringValue, context: Any) -> StringValue:
        return _log_in(request.value)

    def WhoCalls(self, request: Empty, context: Any) -> StringValue:
        return StringValue(value=get_user(context).get_username())

    def WhoCallsInStream(self, request: Empty, context: Any) -> Iterator[StringValue]:
        yield StringValue(value=get_user(context).get_username())
        yield StringValue(value=get_user(context).get_username())

    def SessionValue(self, request: StringValue, context: Any) -> StringValue:
        return StringValue(value=get_session(context).get(request.value, ""))


class Async:
    """As `async def` handlers."""

    async def AddUser(self, request: StringValue, context: Any) -> Empty:
        await get_user_model().objects.acreate(email=request.value)
        return Empty()

    async def CountUsers(self, request: Empty, context: Any) -> Int32Value:
        return Int32Value(value=await get_user_model().objects.acount())

    async def CountUsersInStream(self, request: Empty, context: Any) -> AsyncIterator[Int32Value]:
        yield Int32Value(value=await get_user_model().objects.acount())
        yield await sync_to_async(_count_users)()

    async def TickWithDatabase(self, request: StringValue, context: Any) -> AsyncIterator[Int32Value]:
        try:
            for _ in range(MAX_TICKS):
                yield Int32Value(value=await get_user_model().objects.acount())
                await asyncio.sleep(TICK_SECONDS)
        finally:
            events[request.value].append("ended")

    async def ConnectionIsOpen(self, request: Empty, context: Any) -> BoolValue:
        return await sync_to_async(_connection_is_open)()

    async def ThreadConnection(self, request: BoolValue, context: Any) -> ListValue:
        return await sync_to_async(_thread_connection)(request.value)

    async def ListenToSignals(self, request: BoolValue, context: Any) -> Empty:
        return _listen(request.value)

    async def ContextVariable(self, request: StringValue, context: Any) -> StringValue:
        return _swap_variable(request.value)

    async def ContextVariableInStream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield _swap_variable(request.value)
        yield StringValue(value=variable.get())

    async def ThreadName(self, request: Empty, context: Any) -> StringValue:
        return StringValue(value=threading.current_thread().name)

    async def LogIn(self, request: StringValue, context: Any) -> StringValue:
        return await sync_to_async(_log_in)(request.value)

    async def WhoCalls(self, request: Empty, context: Any) -> StringValue:
        return StringValue(value=(await aget_user(context)).get_username())

    async def WhoCallsInStream(self, request: Empty, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value=(await aget_user(context)).get_username())
        yield StringValue(value=(await aget_user(context)).get_username())

    async def SessionValue(self, request: StringValue, context: Any) -> StringValue:
        return StringValue(value=await get_session(context).aget(request.value, ""))
