"""Credentials: those of a channel are a TLS context, those of a call are metadata that a plugin gives."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import threading
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from yarl import URL

from grpc_bridge.calling.answer import Outcome
from grpc_bridge.protocol.metadata import Metadata, encode_metadata


def ssl_channel_credentials(
    root_certificates: bytes | None = None,
    private_key: bytes | None = None,
    certificate_chain: bytes | None = None,
) -> ssl.SSLContext:
    """Gives credentials for `secure_web_channel`, from what `grpc.ssl_channel_credentials` takes: PEM.

    Without `root_certificates` there are those that the system trusts. `ssl` reads a client's key from files only, so
    it lies in the temporary folder for a moment, where nobody else may read it. Raises `ssl.SSLError` for what is none.
    """
    context = ssl.create_default_context(cadata=root_certificates.decode("ascii") if root_certificates else None)
    if private_key is not None or certificate_chain is not None:
        if private_key is None or certificate_chain is None:
            raise ValueError("a client's certificate and its private key go together")
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "client.pem")
            path.write_bytes(private_key + b"\n" + certificate_chain)
            context.load_cert_chain(path)
    return context


def check_call_credentials(credentials: Any) -> None:
    """Raises `ValueError` for credentials of a call that cannot be used."""
    if credentials is not None and not isinstance(credentials, grpc.AuthMetadataPlugin):
        raise ValueError(
            "grpcio's call credentials do not show what they add; give the grpc.AuthMetadataPlugin itself, "
            "or the metadata"
        )


class PluginError(Exception):
    """A plugin gave no metadata. `outcome` is how the call ends."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.details)
        self.outcome = outcome


_INSECURE = Outcome(
    grpc.StatusCode.UNAUTHENTICATED,
    "Established channel does not have a sufficient security level to transfer call credential.",
)


@dataclass(frozen=True)
class _CallContext(grpc.AuthMetadataContext):
    """What a plugin is told of the call."""

    service_url: str
    method_name: str


class _Answer(grpc.AuthMetadataPluginCallback):
    """What a plugin calls, in any thread, once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.given: asyncio.Future[Metadata] = loop.create_future()
        self._loop = loop

    def __call__(self, metadata: Metadata, error: Exception | None) -> None:
        self._loop.call_soon_threadsafe(self._settle, metadata, error)

    def _settle(self, metadata: Metadata, error: Exception | None) -> None:
        if self.given.done():
            return
        if error is not None:
            self.given.set_exception(error)
        else:
            self.given.set_result(metadata)


async def headers_of_plugin(plugin: grpc.AuthMetadataPlugin, url: URL) -> Sequence[tuple[str, str]]:
    """Gives the headers of the metadata that a plugin adds to a call. It runs in a thread, and may answer from another.

    Raises `PluginError` where it gives none, and where nothing would keep its metadata secret.
    """
    if url.scheme != "https":
        raise PluginError(_INSECURE)
    answer = _Answer(asyncio.get_running_loop())
    service, _, method = str(url).rpartition("/")

    def ask() -> None:
        try:
            plugin(_CallContext(service, method), answer)
        except Exception as error:
            answer((), error)

    threading.Thread(target=copy_context().run, args=(ask,), name="grpc-web-credentials", daemon=True).start()
    try:
        return encode_metadata(await answer.given)
    except Exception as error:
        details = f"Getting metadata from plugin failed with error: {error}"
        raise PluginError(Outcome(grpc.StatusCode.UNAVAILABLE, details, (), error)) from error
