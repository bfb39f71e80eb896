"""Test clients: the project's RPCs in memory, through the bridge and generated stubs, without a server.

    class EchoTest(TestCase):
        client_class = grpc_bridge.testing.Client

        def test_echo(self):
            stub = EchoServiceStub(self.client)
            self.client.force_login(self.user)
            self.assertEqual(stub.Echo(EchoRequest(message="hello")).message, "hello")

Both are Django's test clients that are gRPC channels as well, so cookies, sessions and default headers hold for pages
and for RPCs. Nothing outside tests may import this package.
"""

from __future__ import annotations

from grpc_bridge.testing.aio import AsyncClient
from grpc_bridge.testing.client import Client

__all__ = ["AsyncClient", "Client"]
