"""`manage.py rungrpc`: the servicers of all installed apps on a native gRPC server, without HTTP and without Django's
views."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import autoreload

from grpc_bridge.server.options import ChannelOption, ServerOptions, Tls
from grpc_bridge.server.serving import LAST_SECONDS, TURN_AWAY_SECONDS, StartError, serve
from grpc_bridge.server.workers import CANNOT_START, Reserved, Workers

DEFAULTS = ServerOptions()


class Command(BaseCommand):
    """Serves until SIGTERM or SIGINT."""

    help = "Serves the registered RPCs as a native gRPC server."
    requires_system_checks = ()
    """They are run here, so that with --reload a mistake is waited out like any other."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds the options, with the defaults of `ServerOptions`."""
        add = parser.add_argument
        add(
            "--bind",
            action="append",
            metavar="HOST:PORT",
            help=f"address to listen on; may be given several times; port 0 takes a free one ({DEFAULTS.addresses[0]})",
        )
        add("--skip-checks", action="store_true", help="do not run the system checks")
        add("--workers", type=_count, default=1, metavar="N", help="processes that share the addresses (1)")
        add("--reload", action="store_true", help="restart when Python code changes; for development")
        add("--health", action=BooleanOptionalAction, default=True, help="serve grpc.health.v1")
        add("--reflection", action=BooleanOptionalAction, default=True, help="let callers ask which methods there are")
        tls = parser.add_argument_group("TLS", "Files in PEM. Without them the server takes plain connections.")
        tls.add_argument("--tls-cert", type=Path, metavar="FILE", help="the certificate, with its chain")
        tls.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key")
        tls.add_argument("--tls-client-ca", type=Path, metavar="FILE", help="serve only callers certified by this one")
        self._add_times(parser)
        self._add_sizes(parser)

    def _add_times(self, parser: ArgumentParser) -> None:
        times = parser.add_argument_group("times", "In seconds.")
        for name, text in (
            ("grace", "after SIGTERM, for open calls to end; then they get UNAVAILABLE"),
            ("unready", "after SIGTERM, to go on taking calls, while health says NOT_SERVING"),
            ("keepalive", "between pings to a quiet caller"),
            ("keepalive-timeout", "for the answer to a ping; then the caller has gone"),
            ("min-ping", "that callers have to leave between pings of theirs"),
            ("max-connection-age", "after which callers have to connect anew, and so find new replicas"),
        ):
            default = getattr(DEFAULTS, f"{name.replace('-', '_')}_seconds")
            shown = "never" if default is None else f"{default:g}"
            times.add_argument(
                f"--{name}", type=_seconds, default=default, metavar="SECONDS", help=f"time {text} ({shown})"
            )

    def _add_sizes(self, parser: ArgumentParser) -> None:
        for name, setting in (("receive", "MAX_RECEIVE_MESSAGE_BYTES"), ("send", "MAX_SEND_MESSAGE_BYTES")):
            parser.add_argument(
                f"--max-{name}-bytes", type=_count, metavar="N", help=f"instead of GRPC_BRIDGE['{setting}']"
            )
        parser.add_argument(
            "--channel-option",
            action="append",
            default=[],
            type=_channel_option,
            metavar="NAME=VALUE",
            help="any option of grpcio's, such as grpc.max_concurrent_streams=100; may be given several times",
        )

    def handle(self, *args: Any, **given: Any) -> None:
        """Raises `CommandError` where the server cannot start."""
        options = _options(given)
        try:
            if given["reload"]:
                if given["workers"] > 1:
                    raise CommandError("--reload is for one worker")
                autoreload.run_with_reloader(self._check_and_serve, options, 1, given["skip_checks"])
            else:
                self._check_and_serve(options, given["workers"], given["skip_checks"])
        except (StartError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error

    def _check_and_serve(self, options: ServerOptions, workers: int, skip_checks: bool) -> None:
        if not skip_checks:
            self.check()
        if workers == 1:
            self._serve(options)
        else:
            self._serve_by_workers(options, workers)

    def _serve(self, options: ServerOptions) -> None:
        asyncio.run(serve(options, self._announce))
        threading.Thread(target=_end, daemon=True).start()

    def _serve_by_workers(self, options: ServerOptions, count: int) -> None:
        reserved = Reserved(options.addresses)
        options = replace(options, addresses=reserved.addresses, shares_port=True)
        connections.close_all()  # the checks may have opened some, which processes cannot share

        def work(lifeline: int, begun: Callable[[], None]) -> int:
            try:
                asyncio.run(serve(options, lambda _: begun(), lifeline))
            except (StartError, ImproperlyConfigured) as error:
                self.stderr.write(f"{type(error).__name__}: {error}")
                return CANNOT_START
            return 0

        stop_seconds = options.unready_seconds + TURN_AWAY_SECONDS + options.grace_seconds + LAST_SECONDS
        code = Workers(count, work, stop_seconds, lambda: self._announce(reserved.addresses)).run()
        reserved.close()
        if code:
            raise SystemExit(code)

    def _announce(self, addresses: list[str]) -> None:
        for address in addresses:
            self.stdout.write(f"gRPC on {address}")
        self.stdout.flush()


def _end() -> None:
    """In a daemon thread: ends the process when threads of `def` handlers keep it that do not end."""
    time.sleep(LAST_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _options(given: dict[str, Any]) -> ServerOptions:
    cert, key, client_ca = given["tls_cert"], given["tls_key"], given["tls_client_ca"]
    if bool(cert) != bool(key) or (client_ca and not cert):
        raise CommandError("--tls-cert and --tls-key belong together, and --tls-client-ca to both")
    return ServerOptions(
        addresses=tuple(given["bind"] or DEFAULTS.addresses),
        tls=Tls(cert, key, client_ca) if cert else None,
        health=given["health"],
        reflection=given["reflection"],
        unready_seconds=given["unready"],
        grace_seconds=given["grace"],
        keepalive_seconds=given["keepalive"],
        keepalive_timeout_seconds=given["keepalive_timeout"],
        min_ping_seconds=given["min_ping"],
        max_connection_age_seconds=given["max_connection_age"],
        max_receive_message_bytes=given["max_receive_bytes"],
        max_send_message_bytes=given["max_send_bytes"],
        channel_options=tuple(given["channel_option"]),
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < 2**31 / 1000:
        raise ArgumentTypeError(f"{text!r} is no number of seconds that a server can wait")
    return seconds


def _channel_option(text: str) -> ChannelOption:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, int(value) if value.lstrip("-").isdecimal() else value
