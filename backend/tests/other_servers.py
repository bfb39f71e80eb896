"""Servers that the project does not use itself, but that others run the bridge on: hypercorn and uvicorn.

A process has one worker and serves `config.asgi`, over TLS if it is given a certificate.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.servers import GRACEFUL_SECONDS, HOST, Program

APPLICATION = "config.asgi:application"


@dataclass(frozen=True)
class Certificate:
    """A certificate for this machine and its key, as files, and that of the authority which vouches for it."""

    certificate: Path
    key: Path
    authority: bytes

    def context(self) -> ssl.SSLContext:
        """Gives what a client needs to check it."""
        return ssl.create_default_context(cadata=self.authority.decode())


def new_certificate(directory: Path) -> Certificate:
    """Makes one, and an authority for it."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    made = Certificate(directory / "certificate.pem", directory / "key.pem", authority.cert_pem.bytes())
    issued.cert_chain_pems[0].write_to_path(str(made.certificate))
    issued.private_key_pem.write_to_path(str(made.key))
    return made


def _hypercorn(listener: int) -> list[str]:
    return ["hypercorn", "--bind", f"fd://{listener}", "--graceful-timeout", str(GRACEFUL_SECONDS)]


def _uvicorn(listener: int) -> list[str]:
    return ["uvicorn", "--fd", str(listener), "--timeout-graceful-shutdown", str(GRACEFUL_SECONDS), "--lifespan", "off"]


def _zttp(listener: int) -> list[str]:
    return [*_uvicorn(listener), "--http", "zttp", "--http2"]


def _h11(listener: int) -> list[str]:
    return [*_uvicorn(listener), "--http", "h11"]


HYPERCORN, ZTTP, H11 = "hypercorn", "uvicorn with zttp", "uvicorn with h11"

_COMMANDS: dict[str, tuple[Callable[[int], list[str]], tuple[str, str]]] = {
    HYPERCORN: (_hypercorn, ("--certfile", "--keyfile")),
    ZTTP: (_zttp, ("--ssl-certfile", "--ssl-keyfile")),
    H11: (_h11, ("--ssl-certfile", "--ssl-keyfile")),
}


def program(name: str, certificate: Certificate | None = None) -> Program:
    """Gives how a server of this name is started."""
    command, tls_options = _COMMANDS[name]
    tls: list[str] = []
    if certificate is not None:
        tls = [tls_options[0], str(certificate.certificate), tls_options[1], str(certificate.key)]
    return Program(
        name,
        lambda listener: [sys.executable, "-m", *command(listener), *tls, APPLICATION],
        tls=certificate and certificate.context(),
    )
