"""The test clients in Django's test cases: the test's transaction, its thread, its signals, sessions and pages."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any
from unittest import mock

import grpc
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.test import TestCase, TransactionTestCase, override_settings

from grpc_bridge.testing import AsyncClient, Client
from grpc_bridge.tests.lab import AsyncLab, Lab, LabStub, add_row, rows, text, texts

SERVICERS = (Lab, AsyncLab)
TIMEOUTS = (None, 60)
INTERCEPTORS = [[], ["Def"], ["Async"], ["Async", "Def", "Async"]]
WAYS = [
    (servicer, timeout, {"INTERCEPTORS": [f"grpc_bridge.tests.lab.{name}Interceptor" for name in names]})
    for servicer in SERVICERS
    for timeout in TIMEOUTS
    for names in INTERCEPTORS
]
"""How a handler comes to its thread: as it is, with a deadline, and across interceptors of either kind."""

DIRECT_WAYS = [way for way in WAYS if not way[2]["INTERCEPTORS"]]
"""An interceptor decides itself when it closes the generator that it wraps."""

add_row_async = sync_to_async(add_row)
rows_async = sync_to_async(rows)


class SyncTransactionTest(TestCase):
    """What a handler writes and reads is in the transaction of the test, which is rolled back."""

    client_class = Client

    def stubs(self, ways: Any = WAYS) -> Any:
        for number, (servicer, timeout, settings) in enumerate(ways):
            with override_settings(GRPC_BRIDGE=settings):
                yield LabStub(Client(register=servicer().register)), timeout, f"way-{number}"

    def test_rows_of_the_test_and_of_the_handler(self):
        assert rows() == []
        for stub, timeout, name in self.stubs():
            before = rows()
            add_row(name)
            assert stub.Unary(text("rows"), timeout=timeout) == text(" ".join([*before, name]))
            stub.Unary(text(f"add {name}-by-handler"), timeout=timeout)
            assert rows() == [*before, name, f"{name}-by-handler"]

    def test_it_was_rolled_back(self):
        self.test_rows_of_the_test_and_of_the_handler()

    def test_rows_added_between_two_responses(self):
        for stub, timeout, name in self.stubs():
            call = stub.Both(texts("rows", f"add {name}-by-handler", "rows"), timeout=timeout)
            before = next(call).value.split()
            add_row(name)
            next(call)
            assert next(call).value.split() == [*before, name, f"{name}-by-handler"]

    def test_the_thread_is_that_of_the_test(self):
        for stub, timeout, _ in self.stubs():
            own = text(str(threading.get_ident()))
            assert stub.Unary(text("thread"), timeout=timeout) == own
            assert list(stub.Both(texts("thread", "thread"), timeout=timeout)) == [own, own]

    def test_what_a_handler_does_at_its_end_is_done_after_cancel(self):
        for stub, timeout, _ in self.stubs(DIRECT_WAYS):
            before = len(rows())
            call = stub.Responses(text("1000"), timeout=timeout)
            next(call)
            call.cancel()
            assert len(rows()) == before + 1


class AsyncTransactionTest(TestCase):
    """The same with async tests, whose ORM calls Django runs in the test's main thread."""

    async def stubs(self, ways: Any = WAYS) -> Any:
        for number, (servicer, timeout, settings) in enumerate(ways):
            with override_settings(GRPC_BRIDGE=settings):
                async with AsyncClient(register=servicer().register) as client:
                    yield LabStub(client), timeout, f"way-{number}"

    async def test_rows_of_the_test_and_of_the_handler(self):
        assert await rows_async() == []
        async for stub, timeout, name in self.stubs():
            before = await rows_async()
            await add_row_async(name)
            assert await stub.Unary(text("rows"), timeout=timeout) == text(" ".join([*before, name]))
            await stub.Unary(text(f"add {name}-by-handler"), timeout=timeout)
            assert await rows_async() == [*before, name, f"{name}-by-handler"]

    async def test_it_was_rolled_back(self):
        await self.test_rows_of_the_test_and_of_the_handler()

    async def test_rows_added_between_two_responses(self):
        async for stub, timeout, name in self.stubs():
            call = stub.Both(texts("rows", f"add {name}-by-handler", "rows"), timeout=timeout)
            before = (await call.read()).value.split()
            await call.read()
            await add_row_async(name)
            assert set(before) < set((await call.read()).value.split())
            assert await call.read() is grpc.aio.EOF

    async def test_the_thread_is_that_of_the_test(self):
        async for stub, timeout, _ in self.stubs():
            own = text(str(threading.main_thread().ident))
            assert await stub.Unary(text("thread"), timeout=timeout) == own
            responses = [response async for response in stub.Both(texts("thread", "thread"), timeout=timeout)]
            assert responses == [own, own]

    async def test_what_a_handler_does_at_its_end_is_done_after_cancel(self):
        async for stub, timeout, _ in self.stubs(DIRECT_WAYS):
            before = len(await rows_async())
            call = stub.Responses(text("1000000"), timeout=timeout)
            await call.read()
            call.cancel()
            assert await call.code() is grpc.StatusCode.CANCELLED
            assert len(await rows_async()) == before + 1


class SyncClientInAsyncTestCase(TestCase):
    client_class = Client
    async_client_class = AsyncClient

    def test_the_clients_of_a_test_case_are_channels(self):
        assert isinstance(self.client, Client)
        assert isinstance(self.async_client, AsyncClient)
        assert self.client.get("/").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("servicer", SERVICERS)
async def test_thread_outside_of_djangos_test_case(servicer: type[Lab]):
    """An async test of pytest has its ORM calls in asgiref's own thread, and so has the handler."""
    async with AsyncClient(register=servicer().register) as client:
        own = text(str(await sync_to_async(threading.get_ident)()))
        assert await LabStub(client).Unary(text("thread")) == own


class SignalsTest(TransactionTestCase):
    """Signals are sent as in production, but they close no connection of the test."""

    def setUp(self) -> None:
        self.sent: list[Any] = []
        for signal in (request_started, request_finished):
            signal.connect(self.receive, weak=False)
            self.addCleanup(signal.disconnect, self.receive)
        list(rows())  # so that there is a connection

        def close() -> None:
            self.sent.append("closed")

        patch = mock.patch.object(connections["default"], "close_if_unusable_or_obsolete", close)
        patch.start()
        self.addCleanup(patch.stop)

    def receive(self, signal: Any, **_: Any) -> None:
        self.sent.append(signal)

    def check(self) -> None:
        assert self.sent == [request_started, request_finished]
        self.sent.clear()
        close_old_connections()
        assert self.sent == ["closed"]  # so the test would see it
        for signal in (request_started, request_finished):
            assert signal.disconnect(close_old_connections)
            signal.connect(close_old_connections)

    def test_def(self):
        LabStub(Client(register=Lab().register)).Unary(text("rows"))
        self.check()

    def test_async_def(self):
        LabStub(Client(register=AsyncLab().register)).Unary(text("rows"))
        self.check()

    async def test_def_async(self):
        await LabStub(AsyncClient(register=Lab().register)).Unary(text("rows"))
        await sync_to_async(self.check)()

    async def test_async_def_async(self):
        await LabStub(AsyncClient(register=AsyncLab().register)).Unary(text("rows"))
        await sync_to_async(self.check)()


class SessionTest(TestCase):
    """The cookies of a client go with its calls as with its page requests."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = get_user_model().objects.create_user("ada@example.com", password="enigma-machine")

    @property
    def credentials(self) -> dict[str, str]:
        return {get_user_model().USERNAME_FIELD: self.user.get_username(), "password": "enigma-machine"}

    def test_login_and_logout(self):
        for servicer in SERVICERS:
            client = Client(register=servicer().register)
            stub = LabStub(client)
            assert stub.Unary(text("user")) == text("AnonymousUser")
            for login in (partial(client.force_login, self.user), partial(client.login, **self.credentials)):
                login()
                assert stub.Unary(text("user")) == text(str(self.user))
                client.logout()
                assert stub.Unary(text("user")) == text("AnonymousUser")
                assert stub.Unary(text("metadata cookie")) == text("[]")

    async def test_login_and_logout_async(self):
        for servicer in SERVICERS:
            async with AsyncClient(register=servicer().register) as client:
                stub = LabStub(client)
                for login in (client.aforce_login(self.user), client.alogin(**self.credentials)):
                    await login
                    assert await stub.Unary(text("user")) == text(str(self.user))
                    await client.alogout()
                    assert await stub.Unary(text("user")) == text("AnonymousUser")

    def test_a_page_of_another_origin_cannot_use_the_session(self):
        client = Client(register=Lab().register, headers={"origin": "https://evil.example"})
        assert LabStub(client).Unary(text("user")) == text("AnonymousUser")
        client.force_login(self.user)
        with pytest.raises(grpc.RpcError) as info:
            LabStub(client).Unary(text("user"))
        assert info.value.code() is grpc.StatusCode.PERMISSION_DENIED

    def test_the_host_is_one_that_django_allows(self):
        """`host` is no metadata, so the environ is looked at."""
        seen: list[str] = []

        class Spy(Client):
            def _base_environ(self, **request: Any) -> dict[str, Any]:
                environ: dict[str, Any] = super()._base_environ(**request)
                seen.append(environ.get("HTTP_HOST", "testserver"))
                return environ

        LabStub(Spy(register=Lab().register, headers={"host": "localhost"})).Unary(text("hello"))
        assert seen == ["localhost"]
