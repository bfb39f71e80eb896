"""What `manage.py rungrpc` is told, and what grpcio is told then."""

from __future__ import annotations

import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import CommandParser

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.management.commands import rungrpc
from grpc_bridge.server.options import ServerOptions, Tls
from grpc_bridge.server.serving import StartError
from grpc_bridge.server.workers import Reserved


def parsed(*arguments: str) -> ServerOptions:
    """Gives the options of a command line."""
    parser: ArgumentParser = CommandParser(prog="rungrpc")
    rungrpc.Command().add_arguments(parser)
    return rungrpc._options(vars(parser.parse_args(arguments)))


def test_the_defaults_are_those_of_the_options() -> None:
    assert parsed() == ServerOptions()


def test_every_option() -> None:
    arguments = (
        *("--bind", "127.0.0.1:1", "--bind", "[::1]:2", "--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "a"),
        *("--no-health", "--no-reflection", "--grace", "1", "--unready", "2", "--keepalive", "3.5"),
        *("--keepalive-timeout", "4", "--min-ping", "5", "--max-connection-age", "6"),
        *("--max-receive-bytes", "7", "--max-send-bytes", "8"),
        *("--channel-option", "grpc.a=9", "--channel-option", "grpc.b=x=y", "--channel-option", "grpc.c=-1"),
    )
    assert parsed(*arguments) == ServerOptions(
        addresses=("127.0.0.1:1", "[::1]:2"),
        tls=Tls(Path("c"), Path("k"), Path("a")),
        health=False,
        reflection=False,
        grace_seconds=1,
        unready_seconds=2,
        keepalive_seconds=3.5,
        keepalive_timeout_seconds=4,
        min_ping_seconds=5,
        max_connection_age_seconds=6,
        max_receive_message_bytes=7,
        max_send_message_bytes=8,
        channel_options=(("grpc.a", 9), ("grpc.b", "x=y"), ("grpc.c", -1)),
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--workers", "0"), "'0' is no positive number"),
        (("--max-send-bytes", "4k"), "'4k' is no positive number"),
        (("--grace", "-1"), "'-1' is no number of seconds"),
        (("--grace", "nan"), "'nan' is no number of seconds"),
        (("--keepalive", "soon"), "invalid _seconds value"),
        (("--channel-option", "grpc.a"), "'grpc.a' is no NAME=VALUE"),
        (("--tls-client-ca", "a"), "--tls-cert and --tls-key belong together"),
        (("--tls-key", "k"), "--tls-cert and --tls-key belong together"),
        (("--reload", "--workers", "2"), "--reload is for one worker"),
    ],
)
def test_what_is_refused(arguments: tuple[str, ...], text: str) -> None:
    with pytest.raises(CommandError, match=text):
        call_command("rungrpc", *(f"{name}" for name in arguments))


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({}, "grpc.max_receive_message_length", 4 * 1024 * 1024),
        ({"max_receive_message_bytes": 5}, "grpc.max_receive_message_length", 5),
        ({}, "grpc.max_send_message_length", -1),
        ({}, "grpc.so_reuseport", 0),
        ({"shares_port": True}, "grpc.so_reuseport", 1),
        ({"keepalive_seconds": 0.5}, "grpc.keepalive_time_ms", 500),
        ({"min_ping_seconds": 2}, "grpc.http2.min_ping_interval_without_data_ms", 2000),
        ({}, "grpc.max_connection_age_ms", None),
        ({"max_connection_age_seconds": 60}, "grpc.max_connection_age_ms", 60_000),
        ({"max_connection_age_seconds": 60, "grace_seconds": 5}, "grpc.max_connection_age_grace_ms", 5000),
        ({"channel_options": (("grpc.keepalive_time_ms", 7),)}, "grpc.keepalive_time_ms", 7),
    ],
)
def test_what_grpcio_is_told(options: dict[str, Any], name: str, value: int | None) -> None:
    given = ServerOptions(**options)
    assert dict(given.channel(given.applied(BridgeSettings()))).get(name) == value


def test_sizes_hold_for_the_bridge_too() -> None:
    given = ServerOptions(max_receive_message_bytes=1, max_send_message_bytes=2)
    applied = given.applied(BridgeSettings(sync_threads=3))
    assert applied == BridgeSettings(max_receive_message_bytes=1, max_send_message_bytes=2, sync_threads=3)
    assert ServerOptions().applied(applied) == applied


@pytest.mark.parametrize("address", ["unix:/tmp/socket", "localhost", "127.0.0.1:", "127.0.0.1:http"])
def test_what_workers_cannot_share(address: str) -> None:
    with pytest.raises(StartError, match="is no HOST:PORT"):
        Reserved([address])


def test_reserved_addresses_have_ports() -> None:
    reserved = Reserved(["127.0.0.1:0", "localhost:0"])
    reserved.close()
    assert len(set(reserved.addresses)) == 2
    assert not any(address.endswith(":0") for address in reserved.addresses)


def test_an_address_on_which_somebody_listens_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(StartError, match="cannot listen on"):
        Reserved(["127.0.0.1:0", f"127.0.0.1:{server.getsockname()[1]}"])
