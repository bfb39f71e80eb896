"""What one caller's connection may cost the others."""

from __future__ import annotations

import socket

from tests.servers import WSGI, Server

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def answered(server: Server) -> socket.socket:
    """Asks for the last answer of a connection, reads it to its end, and keeps the connection."""
    connection = socket.create_connection(server.address, timeout=10)
    connection.sendall(REQUEST)
    with connection.makefile("rb") as answer:
        assert answer.read().endswith(b"ok\n")
    return connection


def test_a_caller_who_does_not_close_a_connection_holds_nobody_up(server: Server) -> None:
    """gunicorn's gthread waits two seconds for each of them, and took no other connection meanwhile."""
    kept = [answered(server) for _ in range(5)]
    # Had each been waited for before the next was taken, the system would answer for a server that has closed the first
    # by now: with a reset, of which the second of these sends knows.
    if server.kind == WSGI:
        for _ in range(2):
            kept[0].sendall(b"?")
    for connection in kept:
        connection.close()
