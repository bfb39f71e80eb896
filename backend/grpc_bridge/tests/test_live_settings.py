"""`override_settings` in a test counts at once, also for applications that were made before."""

from __future__ import annotations

import gc
import weakref
from io import BytesIO
from typing import Any

import grpc
import pytest
from django.core.signals import setting_changed
from django.test import override_settings

from grpc_bridge.conf import BridgeSettings
from grpc_bridge.registry import Registry
from grpc_bridge.transports.wsgi import Application, wsgi_bridge

HELLO = b"\x00\x00\x00\x00\x05hello"
PAGE = "https://app.example.com"


@pytest.fixture
def bridge() -> Application:
    """An application that was made with other settings than the test's."""
    registry = Registry()
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    registry.add_registered_method_handlers("test.v1.TestService", {"Method": handler})
    return wsgi_bridge(None, registry, BridgeSettings())  # type: ignore[arg-type]


def post(bridge: Application, **environ: str) -> tuple[int, dict[str, str], bytes]:
    """Makes a call and gives status, headers and body of the answer."""
    seen: list[Any] = []
    request = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/test.v1.TestService/Method",
        "CONTENT_TYPE": "application/grpc-web+proto",
        "CONTENT_LENGTH": str(len(HELLO)),
        "HTTP_HOST": "testserver",
        "wsgi.input": BytesIO(HELLO),
        "wsgi.url_scheme": "http",
    }
    body = b"".join(bridge(request | environ, lambda status, headers: seen.extend((int(status[:3]), dict(headers)))))
    return seen[0], seen[1], body


def test_limits(bridge: Application) -> None:
    assert b"grpc-status: 0" in post(bridge)[2]
    with override_settings(GRPC_BRIDGE={"MAX_RECEIVE_MESSAGE_BYTES": 4}):
        assert b"grpc-status: 8" in post(bridge)[2]
    assert b"grpc-status: 0" in post(bridge)[2]


def test_hosts(bridge: Application) -> None:
    assert post(bridge)[0] == 200
    with override_settings(ALLOWED_HOSTS=["example.com"]):
        assert post(bridge)[0] == 400
        assert post(bridge, HTTP_HOST="example.com")[0] == 200
    assert post(bridge)[0] == 200
    assert post(bridge, HTTP_HOST="example.com")[0] == 400


def test_origins(bridge: Application) -> None:
    page = {"HTTP_ORIGIN": PAGE, "HTTP_COOKIE": "sessionid=abc"}
    assert post(bridge, **page)[0] == 403
    with override_settings(CSRF_TRUSTED_ORIGINS=[PAGE]):
        assert post(bridge, **page)[0] == 200
    with override_settings(SESSION_COOKIE_NAME="another"):
        assert post(bridge, **page)[0] == 200
    assert post(bridge, **page)[0] == 403


def test_cors(bridge: Application) -> None:
    assert "vary" not in post(bridge, HTTP_ORIGIN=PAGE)[1]
    with override_settings(GRPC_BRIDGE={"CORS_ALLOWED_ORIGINS": [PAGE]}):
        assert post(bridge, HTTP_ORIGIN=PAGE)[1]["access-control-allow-origin"] == PAGE
    assert "vary" not in post(bridge, HTTP_ORIGIN=PAGE)[1]


def test_wrong_settings_are_logged_and_change_nothing(bridge: Application, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(GRPC_BRIDGE={"MAX_RECEIVE_MESSAGE_BYTES": 0}):
        assert post(bridge)[0] == 200
    assert "MAX_RECEIVE_MESSAGE_BYTES" in caplog.text


def test_an_application_that_is_gone_listens_no_more(bridge: Application) -> None:
    gc.collect()  # those of other tests
    before = len(setting_changed._live_receivers(None)[0])
    other = wsgi_bridge(None, Registry(), BridgeSettings())  # type: ignore[arg-type]
    assert len(setting_changed._live_receivers(None)[0]) == before + 1
    gone = weakref.ref(other)
    del other
    gc.collect()
    assert gone() is None
    assert len(setting_changed._live_receivers(None)[0]) == before
