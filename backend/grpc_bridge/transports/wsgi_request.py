"""The request side of the WSGI transport: what a call asks of its head. Its body is in `wsgi_body.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import length_hint

from grpc_bridge.admission import peer_address
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.limits import too_much_metadata
from grpc_bridge.protocol.metadata import Metadatum, decode_metadata
from grpc_bridge.transports.wsgi_head import HEADER_PREFIXES
from grpc_bridge.transports.wsgi_reply import Environ


class WsgiRequest:
    """What a call asks of a WSGI environ. It is made without arguments, for the same reason as a context."""

    __slots__ = ("environ",)

    environ: Environ

    def metadata(self) -> tuple[Metadatum, ...]:
        """Gives the invocation metadata. Duplicates arrive joined by commas: WSGI has no other way."""
        environ = self.environ
        # Over HTTP/2 gunicorn says by it that it is HTTP/2.
        no_header = "HTTP_VERSION" if environ.get("SERVER_PROTOCOL") == "HTTP/2.0" else None
        return decode_metadata(
            (name[5:].replace("_", "-"), value)
            for name, value in environ.items()
            if name.startswith("HTTP_") and name != no_header
        )

    def check_metadata_size(self, settings: BridgeSettings) -> None:
        """Raises `StatusError` RESOURCE_EXHAUSTED for more headers, or larger ones, than the settings allow."""
        environ = self.environ
        # What the environ has beside the headers rarely matters, and leaving it out takes three times as long.
        size = len("".join(environ)) + sum(map(length_hint, environ.values()))
        if size <= settings.max_metadata_bytes and len(environ) <= settings.max_metadata_entries:
            return
        headers = [(name, value) for name, value in environ.items() if name.startswith(HEADER_PREFIXES)]
        size = sum(len(name.removeprefix("HTTP_")) + len(value) for name, value in headers)
        if size > settings.max_metadata_bytes or len(headers) > settings.max_metadata_entries:
            raise too_much_metadata(len(headers), size, settings)

    def peer(self) -> str:
        """Gives the caller's address as grpcio writes it."""
        return peer_address(self.environ.get("REMOTE_ADDR"), self.environ.get("REMOTE_PORT"))

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Gives nothing: TLS ends in the server or before it."""
        return {}

    def meta(self, key: str) -> str | None:
        """Gives an entry of Django's `request.META`, which is the environ."""
        value: str | None = self.environ.get(key)
        return value

    def scheme(self) -> str:
        """Gives `http` or `https`."""
        scheme: str = self.environ["wsgi.url_scheme"]
        return scheme


def wsgi_request(environ: Environ) -> WsgiRequest:
    """Gives a request."""
    request = WsgiRequest()
    request.environ = environ
    return request
