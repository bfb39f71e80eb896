"""Envoy's edge: what goes where, what callers cannot tell it, and what it writes down."""

from __future__ import annotations

import json
import re

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from tests.contract.case import Answer, Call, check
from tests.contract.cases.messages import texts
from tests.contract.cases.metadata import values
from tests.contract.control import Control, eventually, new_key
from tests.contract.envoy import EnvoyTransport
from tests.contract.grpc_web import BINARY, MODES, TEXT, Mode
from tests.contract.http_client import Connection
from tests.contract.literals import HELLO
from tests.contract.methods import SYNC, path
from tests.contract.native import NativeTransport
from tests.envoy_process import Envoy
from tests.servers import Server

HELLO_TEXT = b"AAAAAAcKBWhlbGxv"


@pytest.fixture
def transport(envoy_server: Server, mode: Mode) -> EnvoyTransport:
    """Envoy in each mode."""
    return EnvoyTransport(envoy_server, mode)


def unique_path() -> str:
    """Gives the path of a method that there is not, and by which its line in the access log can be found."""
    return f"/contract.Sync/{new_key()}"


@pytest.mark.parametrize(
    ("method", "content_type", "route"),
    [
        ("POST", "application/grpc-web", "grpc-web-binary"),
        ("POST", "application/grpc-web+proto", "grpc-web-binary"),
        ("POST", "application/grpc-web-text", "grpc-web-text"),
        ("POST", "application/grpc-web-text+proto", "grpc-web-text"),
        ("POST", "application/grpc", "grpc"),
        ("POST", "application/grpc+proto", "grpc"),
        # What the filter does not know, or is no call, is for Django.
        ("POST", "application/grpc-web; charset=utf-8", "all-else"),
        ("POST", "Application/GRPC-Web", "all-else"),
        ("POST", "application/grpc-web-text-base64", "all-else"),
        ("POST", "application/grpc-web+json", "all-else"),
        ("POST", "application/grpc-webbing", "all-else"),
        ("POST", "application/json", "all-else"),
        ("POST", "", "all-else"),
        ("GET", "application/grpc-web+proto", "all-else"),
        ("OPTIONS", "application/grpc-web+proto", "all-else"),
    ],
)
def test_what_goes_where(envoy: Envoy, envoy_server: Server, method: str, content_type: str, route: str) -> None:
    target = unique_path()
    with Connection(envoy_server) as connection:
        connection.send_head(method, target, [("content-type", content_type), ("content-length", "0")])
        connection.response(method).read()
    (line,) = envoy.access(target)
    assert f" route={route} " in line


@pytest.mark.parametrize("content_type", ["application/grpc-web+proto; charset=utf-8", "Application/GRPC-Web+proto"])
def test_what_envoy_cannot_translate_django_answers(envoy_server: Server, flavour: str, content_type: str) -> None:
    with Connection(envoy_server) as connection:
        response = connection.request("POST", path(flavour, "Echo"), [("content-type", content_type)], HELLO)
        assert response.headers["content-type"] == BINARY
        assert response.read().startswith(HELLO)


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", BINARY, TEXT])
def test_a_call_in_text_mode_is_answered_in_text_mode(envoy_server: Server, accept: str | None) -> None:
    headers = [("content-type", TEXT), *([] if accept is None else [("accept", accept)])]
    with Connection(envoy_server) as connection:
        response = connection.request("POST", path(SYNC, "Echo"), headers, HELLO_TEXT)
        assert response.headers["content-type"] == TEXT
        assert response.read().startswith(HELLO_TEXT)


def test_a_client_that_does_not_say_so_is_known_to_speak_grpc_web(envoy_server: Server, mode: Mode) -> None:
    """So nothing is compressed for it, whatever Envoy says of it to the server."""
    body = mode.request_body([StringValue(value="Gzip")])
    with Connection(envoy_server) as connection:
        response = connection.request("POST", path(SYNC, "Compress"), [("content-type", mode.content_type)], body)
        assert response.headers["grpc-encoding"] in (None, "identity")
        assert response.read().startswith(b"AAAA" if mode.is_text else b"\0\0")


def test_nothing_ends_a_stream_but_its_two_ends(envoy: Envoy) -> None:
    """Which would take long to see. An hour without a message is the one limit."""
    dump = json.loads(envoy.ask("/config_dump?resource=static_listeners"))["configs"]
    managers = [one["listener"]["filter_chains"][0]["filters"][0]["typed_config"] for one in dump]
    routes = [
        route["route"] for one in managers for host in one["route_config"]["virtual_hosts"] for route in host["routes"]
    ]
    assert {one["stream_idle_timeout"] for one in managers} == {"3600s"}
    assert not any("request_timeout" in one or "common_http_protocol_options" in one for one in managers)
    assert {(route["timeout"], "max_stream_duration" in route) for route in routes} == {("0s", False)}
    assert len(routes) == 6


def test_messages_in_text_mode_arrive_while_the_stream_is_open(envoy_server: Server, flavour: str, key: str) -> None:
    transport = EnvoyTransport(envoy_server, MODES[1])
    with transport.open(flavour, "WaitInStream") as call:
        call.send_whole([StringValue(value=key)])
        messages = iter(call.reply())
        assert next(messages) == StringValue(value="before")
        Control(transport).open_gate(key)
        assert list(messages) == texts("after")


def test_initial_metadata_arrives_before_the_first_message(transport: EnvoyTransport, flavour: str, key: str) -> None:
    with transport.open(flavour, "SendInitialAndWait") as call:
        call.send_whole([StringValue(value=key)])
        reply = call.reply()
        assert dict(reply.initial_metadata)["contract-initial-bin"] == b"\x00\xff\xfe initial"
        Control(transport).open_gate(key)
        assert list(reply) == texts("after")


def test_a_deadline_in_text_mode_has_its_messages_and_its_status(envoy_server: Server, flavour: str) -> None:
    answer = EnvoyTransport(envoy_server, MODES[1]).call(flavour, Call("SleepInStream", [Empty()], timeout=0.3))
    check(Answer(texts("before"), grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), answer)


def shown(transport: EnvoyTransport | NativeTransport, prefix: str, *metadata: tuple[str, str]) -> list[str]:
    """Gives what a handler sees of the caller's metadata."""
    (message,) = transport.call(SYNC, Call("ShowMetadata", [StringValue(value=prefix)], metadata)).messages
    return list(message)  # type: ignore[call-overload]


@pytest.fixture(params=["web", "native"])
def any_wire(request: pytest.FixtureRequest, envoy_server: Server, envoy_channel: grpc.Channel) -> object:
    """Both ways in which a call comes to Envoy."""
    return EnvoyTransport(envoy_server, MODES[0]) if request.param == "web" else NativeTransport(envoy_channel)


def test_callers_cannot_say_where_they_are(any_wire: EnvoyTransport | NativeTransport) -> None:
    """Envoy adds the address that it has seen, its own for a caller on its machine. TRUSTED_PROXY_COUNT = 1 believes
    the last one."""
    claimed = "198.51.100.7"
    (entry,) = shown(any_wire, "x-forwarded-for", ("x-forwarded-for", claimed))
    assert re.fullmatch(rf"x-forwarded-for={re.escape(claimed)},[0-9.]+", entry)
    assert not entry.endswith(f",{claimed}")


def test_callers_cannot_say_what_they_call(any_wire: EnvoyTransport | NativeTransport, envoy: Envoy) -> None:
    """By which host and which scheme, of which the site's own origin is made."""
    claimed = [("x-forwarded-host", "evil.example.org"), ("x-forwarded-proto", "https")]
    assert shown(any_wire, "x-forwarded-host", *claimed) == [f"x-forwarded-host={envoy.edge}"]
    assert shown(any_wire, "x-forwarded-proto", *claimed) == ["x-forwarded-proto=http"]


def test_callers_cannot_use_envoy_s_own_headers(any_wire: EnvoyTransport | NativeTransport) -> None:
    """By which they could set timeouts, retries and more. An address of a private network is no reason to let them."""
    headers = [("x-envoy-upstream-rq-timeout-ms", "1"), ("x-envoy-retry-on", "5xx"), ("x-envoy-internal", "true")]
    assert shown(any_wire, "x-envoy-", *headers) == ["x-envoy-external-address=127.0.0.1"]


def fields(line: str) -> dict[str, str]:
    """Gives what a line of the access log says by name."""
    return dict(entry.split("=", 1) for entry in line.split() if "=" in entry)


def test_the_access_log_has_the_status_of_every_call(
    envoy: Envoy, transport: EnvoyTransport, envoy_channel: grpc.Channel
) -> None:
    """Whether it came in the trailers, beside the headers or from Envoy itself."""
    native = NativeTransport(envoy_channel)
    target = unique_path()
    with Connection(transport.server) as connection:
        connection.request("POST", target, [], b"").read()
    envoy.access(target)  # and so all before it
    before = len(envoy.log)
    calls = {
        0: Call("Repeat", [Int32Value(value=3)]),
        5: Call("Abort", [values("NOT_FOUND", "größer")]),
        15: Call("SetCodeInStream", [Empty()]),
    }
    for number, call in calls.items():
        for one in (transport, native):
            answer = one.call(SYNC, call)
            assert answer.code is not None
            assert answer.code.value[0] == number
    # A native client does not wait for it.
    assert transport.call(SYNC, Call("Sleep", [Empty()], timeout=0.1)).code is grpc.StatusCode.DEADLINE_EXCEEDED
    with Connection(transport.server) as connection:
        response = connection.request("POST", path(SYNC, "Drain"), [("content-type", TEXT)], b"no base64!")
        assert (response.status, response.headers["grpc-status"]) == (400, "13")

    def logged() -> list[tuple[str, str]]:
        lines = [line for line in envoy.log[before:].splitlines() if " /contract.Sync/" in line]
        return sorted((fields(line)["route"], fields(line)["grpc-status"]) for line in lines)

    web = f"grpc-web-{transport.mode.name}"
    expected = [(web, "4"), ("grpc-web-text", "13")] + [
        (route, str(number)) for number in calls for route in (web, "grpc")
    ]
    assert eventually(lambda: logged() == sorted(expected)), logged()


def test_the_access_log_tells_that_a_caller_has_left(envoy: Envoy, transport: EnvoyTransport, key: str) -> None:
    before = len(envoy.log)
    with transport.open(SYNC, "WaitInStream") as call:
        call.send_whole([StringValue(value=key)])
        assert next(iter(call.reply())) == StringValue(value="before")
    pattern = re.compile(r"POST /contract\.Sync/WaitInStream HTTP/1\.1 200 DC grpc-status=- ")
    assert eventually(lambda: pattern.search(envoy.log[before:]) is not None)


def test_probes_are_not_in_the_access_log(envoy: Envoy, envoy_server: Server) -> None:
    with Connection(envoy_server) as connection:
        connection.send_head("GET", "/healthz", [])
        assert connection.response("GET").read()
        target = unique_path()
        connection.send_head("GET", target, [])
        connection.response("GET").read()
    envoy.access(target)
    assert "/healthz" not in envoy.log


def test_the_rest_of_the_site_is_there(envoy_server: Server) -> None:
    with Connection(envoy_server) as connection:
        connection.send_head("GET", "/admin/login/", [])
        page = connection.response("GET")
        assert page.status == 200
        assert b"csrfmiddlewaretoken" in page.read()
