"""Sonora. Its ASGI application puts the status of a unary call into an f-string as bytes, so that no other client than
its own can read it: that one function is replaced here by one that takes bytes too, and is no slower.
"""

from __future__ import annotations

from collections.abc import Iterable

from sonora import protocol
from sonora.asgi import grpcASGI
from sonora.wsgi import grpcWSGI

from bench.handlers import ASYNC_SERVICE, DEF_SERVICE, generic_handlers


def _pack_trailers(trailers: Iterable[tuple[str | bytes, str | bytes]]) -> bytes:
    lines = []
    for key, value in trailers:
        name = key.decode() if isinstance(key, bytes) else key
        text = value.decode() if isinstance(value, bytes) else value
        lines.append(f"{name.lower()}: {text}\r\n".encode("ascii"))
    return b"".join(lines)


protocol.pack_trailers = _pack_trailers

# Without the headers of CORS, because the others send none either.
wsgi = grpcWSGI(None, enable_cors=False)
wsgi.add_generic_rpc_handlers((generic_handlers(DEF_SERVICE),))
asgi = grpcASGI(None, enable_cors=False)
asgi.add_generic_rpc_handlers((generic_handlers(ASYNC_SERVICE),))
