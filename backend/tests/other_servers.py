"""Servers that the project does not use itself, but that others run the bridge on: hypercorn and uvicorn.

A process has one worker and serves `config.asgi`, over TLS if it is given a certificate.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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


HYPERCORN, ZTTP, H11 = "hypercorn", "uvicorn with zttp", "uvicorn with h11"

# Its own --fd takes any socket for one of another family, and so leaves Nagle's algorithm on: 40 ms for many an answer.
_UVICORN = f"""
import socket, sys, uvicorn
listener, http, certificate, key = sys.argv[1:]
config = uvicorn.Config(
    "{APPLICATION}", http=http, http2=http == "zttp", ssl_certfile=certificate or None,
    ssl_keyfile=key or None, timeout_graceful_shutdown={GRACEFUL_SECONDS},
)
uvicorn.Server(config).run([socket.socket(fileno=int(listener))])
"""


def _hypercorn(listener: int, certificate: Certificate | None) -> list[str]:
    tls = ["--certfile", str(certificate.certificate), "--keyfile", str(certificate.key)] if certificate else []
    bind = ["--bind", f"fd://{listener}", "--graceful-timeout", str(GRACEFUL_SECONDS)]
    return ["-m", "hypercorn", *bind, *tls, APPLICATION]


def _uvicorn(http: str, listener: int, certificate: Certificate | None) -> list[str]:
    tls = [str(certificate.certificate), str(certificate.key)] if certificate else ["", ""]
    return ["-c", _UVICORN, str(listener), http, *tls]


_ARGUMENTS: dict[str, Callable[[int, Certificate | None], list[str]]] = {
    HYPERCORN: _hypercorn,
    ZTTP: partial(_uvicorn, "zttp"),
    H11: partial(_uvicorn, "h11"),
}


def program(name: str, certificate: Certificate | None = None) -> Program:
    """Gives how a server of this name is started."""
    return Program(
        name,
        lambda listener: [sys.executable, *_ARGUMENTS[name](listener, certificate)],
        tls=certificate and certificate.context(),
    )
