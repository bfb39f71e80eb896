"""Database connections on a site that keeps them (CONN_MAX_AGE): by thread, until they are too old."""

from __future__ import annotations

from google.protobuf.wrappers_pb2 import BoolValue

from tests.contract.case import Call
from tests.contract.grpc_web import MODES, GrpcWebTransport
from tests.contract.methods import ASYNC, SYNC
from tests.servers import WSGI_THREADS, Server

CALLS = WSGI_THREADS + 8
"""So many that some thread comes round again."""


def outcomes(server: Server, flavour: str, *, expires: bool) -> set[tuple[bool, bool]]:
    """Makes calls one after another. Gives what occurred: whether the thread was a known one, and had a connection."""
    transport = GrpcWebTransport(server, MODES[0])
    known: set[str] = set()
    found = set()
    for _ in range(CALLS):
        (answer,) = transport.call(flavour, Call("ThreadConnection", [BoolValue(value=expires)])).messages
        thread, is_open = answer  # type: ignore[misc]
        found.add((thread in known, is_open))
        known.add(thread)
    return found


def test_a_thread_keeps_its_connection_until_it_is_too_old(site_server: Server) -> None:
    first = outcomes(site_server, SYNC, expires=False)
    assert (True, True) in first
    assert (True, False) not in first
    outcomes(site_server, SYNC, expires=True)
    second = outcomes(site_server, SYNC, expires=True)
    assert (True, False) in second
    assert (True, True) not in second


def test_an_async_call_keeps_none(site_server: Server) -> None:
    """Its thread ends with it, as under Django's own ASGI handler."""
    assert outcomes(site_server, ASYNC, expires=False) == {(False, False)}
