"""The line that each call leaves in the log."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest

from grpc_bridge.call_log import LoggedCall
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.tests.calls import admitted
from grpc_bridge.tests.in_memory import TRANSPORTS, Request, answers, registry_of
from grpc_bridge.tests.interception import ARITIES, FLAVOURS, REQUESTS, RESPONSES, Marking, handler, handlers

LINE = re.compile(
    r"method=(?P<method>\S+|\"[^\"]*\") peer=(?P<peer>\S+) status=(?P<status>[A-Z_]+)"
    r" duration_ms=(?P<duration>\d+\.\d{3})"
    r" request_messages=(?P<requests>\d+) request_bytes=(?P<request_bytes>\d+)"
    r" response_messages=(?P<responses>\d+) response_bytes=(?P<response_bytes>\d+) call=(?P<call>[0-9a-f]{32}|refused)"
)


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """ASGI and WSGI."""
    return request.param


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What has been logged of calls. A list that fills up."""
    logged: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert record.levelno == logging.INFO
            logged.append(record.getMessage())

    handler = Handler()
    with caplog.at_level(logging.INFO, "grpc_bridge.calls"):
        logging.getLogger("grpc_bridge.calls").addHandler(handler)
        yield logged
        logging.getLogger("grpc_bridge.calls").removeHandler(handler)


def only_entry(lines: list[str]) -> dict[str, str]:
    """Gives the values of the one line that there is."""
    (line,) = lines
    found = LINE.fullmatch(line)
    assert found is not None, line
    return found.groupdict()


@pytest.mark.parametrize("arity", ARITIES)
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("chain", [(), (Marking(b""),)], ids=["", "intercepted"])
def test_a_call_leaves_one_line(transport: str, flavour: str, arity: str, chain: Any, lines: list[str]) -> None:
    request = Request(f"/test.Service/{arity}", REQUESTS[arity])
    answers(transport, registry_of(**handlers(flavour)), BridgeSettings(interceptors=chain), request)
    entry = only_entry(lines)
    assert entry["method"] == f"/test.Service/{arity}"
    assert entry["peer"] == "ipv4:127.0.0.1:50000"
    assert entry["status"] == "OK"
    assert 0 < float(entry["duration"]) < 60_000
    assert (int(entry["requests"]), int(entry["request_bytes"])) == (len(REQUESTS[arity]), len(REQUESTS[arity]))
    sent = RESPONSES[arity]
    assert (int(entry["responses"]), int(entry["response_bytes"])) == (len(sent), sum(map(len, sent)))


def abort(request: Any, context: Any) -> None:
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


def fail(request: Any, context: Any) -> None:
    raise ValueError("swordfish")


def wait(request: Any, context: Any) -> None:
    while context.is_active():
        pass


@pytest.mark.parametrize(
    ("behavior", "headers", "status"),
    [(abort, [], "NOT_FOUND"), (fail, [], "UNKNOWN"), (wait, [("grpc-timeout", "20m")], "DEADLINE_EXCEEDED")],
)
def test_the_status_is_what_the_caller_gets(
    transport: str, behavior: Any, headers: Any, status: str, lines: list[str]
) -> None:
    registry = registry_of(Method=handler("unary_unary", behavior))
    (answer,) = answers(transport, registry, BridgeSettings(), Request("/test.Service/Method", headers=headers))
    entry = only_entry(lines)
    assert (entry["status"], entry["responses"]) == (status, "0")
    assert answer.code.name == status
    if behavior is fail:
        assert f"(call {entry['call']})" in answer.details


@pytest.mark.parametrize(
    ("path", "messages", "headers", "status"),
    [
        ("Unknown", [b"a"], [], "UNIMPLEMENTED"),
        ("unary_unary", [b"a"], [("grpc-encoding", "br")], "UNIMPLEMENTED"),
        ("unary_unary", [b"a"], [("grpc-timeout", "soon")], "INTERNAL"),
        ("unary_unary", [b"a", b"b"], [], "UNIMPLEMENTED"),
        ("unary_unary", [], [], "UNIMPLEMENTED"),
    ],
)
def test_a_call_that_is_refused_leaves_a_line(
    transport: str, path: str, messages: Any, headers: Any, status: str, lines: list[str]
) -> None:
    request = Request(f"/test.Service/{path}", messages, headers)
    (answer,) = answers(transport, registry_of(**handlers("def")), BridgeSettings(), request)
    entry = only_entry(lines)
    assert (entry["method"], entry["status"], entry["requests"]) == (request.path, status, "0")
    assert answer.code.name == status


@pytest.mark.parametrize("name", ["a b", "a\nb", 'a" status=OK "', "ä", "x" * 500, "a=b"])
def test_a_caller_cannot_make_up_entries(transport: str, name: str, lines: list[str]) -> None:
    answers(transport, registry_of(), BridgeSettings(), Request(f"/test.Service/{name}"))
    (line,) = lines
    value = line.removeprefix("method=").partition(" peer=")[0]
    assert json.loads(value) == f"/test.Service/{name}"[:200]
    assert "\n" not in line
    assert line.isascii()


def test_each_call_has_an_id_of_its_own(lines: list[str]) -> None:
    answers("wsgi", registry_of(**handlers("def")), BridgeSettings(), *[Request("/test.Service/unary_unary")] * 50)
    assert len({line.rpartition("call=")[2] for line in lines}) == 50


UNARY = handler("unary_unary", abort)


def test_it_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "grpc_bridge.calls"):
        assert isinstance(admitted(UNARY), LoggedCall)
        assert not isinstance(admitted(UNARY, settings=replace(BridgeSettings(), log_calls=False)), LoggedCall)


def test_nothing_is_counted_where_the_line_would_go_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "grpc_bridge.calls"):
        assert not isinstance(admitted(UNARY), LoggedCall)
