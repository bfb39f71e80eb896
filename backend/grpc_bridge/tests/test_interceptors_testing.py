"""The test clients behind interceptors: whatever crosses, the test's thread runs it, in the test's transaction."""

from __future__ import annotations

from django.test import override_settings

from grpc_bridge.tests import test_testing_django as without_interceptors

WRAPPING = [f"grpc_bridge.tests.interception.{name}" for name in ("Wrapping", "AioWrapping", "Wrapping")]

sync_first = override_settings(GRPC_BRIDGE={"INTERCEPTORS": WRAPPING})
aio_first = override_settings(GRPC_BRIDGE={"INTERCEPTORS": WRAPPING[1:]})


@sync_first
class SyncTransactionTest(without_interceptors.SyncTransactionTest):
    pass


@aio_first
class SyncTransactionAioFirstTest(without_interceptors.SyncTransactionTest):
    pass


@sync_first
class AsyncTransactionTest(without_interceptors.AsyncTransactionTest):
    pass


@aio_first
class AsyncTransactionAioFirstTest(without_interceptors.AsyncTransactionTest):
    pass
