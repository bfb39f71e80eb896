"""TLS, and certificates of callers."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from tests.databases import Database
from tests.native_server.client import CHANNEL_OPTIONS, call, open_channel
from tests.native_server.conftest import Certificates
from tests.native_server.process import running_rungrpc


def credentials(certificates: Certificates, *, with_client: bool) -> grpc.ChannelCredentials:
    """Those of a client, with a certificate of its own or without."""
    if not with_client:
        return grpc.ssl_channel_credentials(certificates.ca.read_bytes())
    return grpc.ssl_channel_credentials(
        certificates.ca.read_bytes(), certificates.client_key.read_bytes(), certificates.client_cert.read_bytes()
    )


@pytest.fixture(scope="module")
def tls_address(
    tmp_path_factory: pytest.TempPathFactory, migrated: Database, certificates: Certificates
) -> Iterator[str]:
    """A server with a certificate."""
    arguments = ("--tls-cert", str(certificates.server_cert), "--tls-key", str(certificates.server_key))
    with running_rungrpc(tmp_path_factory.mktemp("tls"), *arguments, database=migrated) as server:
        yield server.address


@pytest.fixture(scope="module", params=["1", "2"], ids=["one process", "two workers"])
def mutual_tls_address(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated: Database,
    certificates: Certificates,
) -> Iterator[str]:
    """A server that asks callers for theirs."""
    arguments = (
        *("--tls-cert", str(certificates.server_cert), "--tls-key", str(certificates.server_key)),
        *("--tls-client-ca", str(certificates.ca), "--workers", request.param),
    )
    with running_rungrpc(tmp_path_factory.mktemp("mutual-tls"), *arguments, database=migrated) as server:
        yield server.address


def test_tls(tls_address: str, certificates: Certificates) -> None:
    with grpc.secure_channel(
        tls_address, credentials(certificates, with_client=False), options=CHANNEL_OPTIONS
    ) as channel:
        assert call(channel, "Identity") == "None []"


def test_no_plain_connection_is_taken(tls_address: str) -> None:
    with open_channel(tls_address) as channel:
        assert_unavailable(channel)


def test_a_caller_is_known_by_its_certificate(mutual_tls_address: str, certificates: Certificates) -> None:
    with grpc.secure_channel(
        mutual_tls_address, credentials(certificates, with_client=True), options=CHANNEL_OPTIONS
    ) as channel:
        assert call(channel, "Identity") == "x509_subject_alternative_name [b'robot@example.com']"


def test_who_has_no_certificate_is_not_served(mutual_tls_address: str, certificates: Certificates) -> None:
    with grpc.secure_channel(
        mutual_tls_address, credentials(certificates, with_client=False), options=CHANNEL_OPTIONS
    ) as channel:
        assert_unavailable(channel)


def assert_unavailable(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "Pid")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
