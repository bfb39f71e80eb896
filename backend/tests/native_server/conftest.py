"""Servers that several tests share, and certificates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme

from tests.databases import Database
from tests.native_server.client import open_channel
from tests.native_server.process import Rungrpc, running_rungrpc

GUARDED = "tests.native_server.guarded_settings"


@dataclass(frozen=True)
class Certificates:
    """Files in PEM: those of an authority, of a server for 127.0.0.1 that it certifies, and of a client."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made for this session."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("robot@example.com")
    files = Certificates(*(directory / f"{name}.pem" for name in Certificates.__dataclass_fields__))
    authority.cert_pem.write_to_path(files.ca)
    for cert, cert_path, key_path in (
        (server, files.server_cert, files.server_key),
        (client, files.client_cert, files.client_key),
    ):
        cert.cert_chain_pems[0].write_to_path(cert_path)
        cert.private_key_pem.write_to_path(key_path)
    return files


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory, migrated: Database) -> Iterator[Rungrpc]:
    """A server with `guarded_settings.py`."""
    directory = tmp_path_factory.mktemp("guarded")
    with running_rungrpc(directory, database=migrated, settings=GUARDED) as server:
        yield server


@pytest.fixture
def guarded(guarded_server: Rungrpc) -> Iterator[grpc.Channel]:
    """A connection to the server that takes calls with a token only."""
    with open_channel(guarded_server.address) as channel:
        yield channel
