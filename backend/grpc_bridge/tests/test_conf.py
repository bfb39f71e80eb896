"""The bridge's settings and what is said of wrong ones."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import grpc
import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from grpc_bridge import asgi, wsgi
from grpc_bridge.access import anyone, staff
from grpc_bridge.checks import check_settings
from grpc_bridge.conf import BridgeSettings, load_settings, named_function

NAMES = [field.name.upper() for field in fields(BridgeSettings)]
FLOATS = [field.name.upper() for field in fields(BridgeSettings) if str(field.type).startswith("float")]
NUMBERS = [field.name.upper() for field in fields(BridgeSettings) if str(field.type).startswith("int")] + FLOATS
MAY_BE_NONE = [field.name.upper() for field in fields(BridgeSettings) if str(field.type).endswith(" | None")]

RIGHT_VALUES = [
    *((name, value) for name in NUMBERS for value in (1, 17, 2**32 - 1)),
    *((name, value) for name in FLOATS for value in (0.001, 1.0, 2.0**31)),
    *((name, None) for name in MAY_BE_NONE),
]
WRONG_VALUES = [
    *(
        (name, value)
        for name in NUMBERS
        for value in (0, -1, 2**32, math.inf, math.nan, "1", "", True, False, [1], b"1")
    ),
    *((name, 1.0) for name in NUMBERS if name not in FLOATS),
    *((name, None) for name in NUMBERS if name not in MAY_BE_NONE),
]


def test_nothing_set_is_the_defaults(settings: Any) -> None:
    if hasattr(settings, "GRPC_BRIDGE"):
        del settings.GRPC_BRIDGE
    assert load_settings() == BridgeSettings()
    settings.GRPC_BRIDGE = {}
    assert load_settings() == BridgeSettings()


def test_the_limits_are_on_by_default_but_for_the_time_of_streams() -> None:
    assert {name.lower(): getattr(BridgeSettings(), name.lower()) for name in NUMBERS} == {
        "max_receive_message_bytes": 4 * 1024 * 1024,
        "max_send_message_bytes": 4 * 1024 * 1024,
        "max_metadata_bytes": 16 * 1024,
        "max_metadata_entries": 128,
        "max_concurrent_calls": 1_000,
        "max_concurrent_streams": 10_000,
        "max_stream_seconds": None,
        "max_stream_idle_seconds": None,
        "request_body_seconds": 60.0,
        "sync_threads": 32,
        "sync_queue": 1_000,
        "cors_max_age_seconds": 2 * 60 * 60,
    }


@pytest.mark.parametrize(("name", "value"), RIGHT_VALUES)
def test_each_number_can_be_set(settings: Any, name: str, value: Any) -> None:
    settings.GRPC_BRIDGE = {name: value}
    assert load_settings() == replace(BridgeSettings(), **{name.lower(): value})


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_what_it_cannot_be_is_refused_by_name(settings: Any, name: str, value: Any) -> None:
    settings.GRPC_BRIDGE = {name: value}
    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings()
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


FUNCTIONS = ["DEFAULT_ACCESS", "TOKEN_USER"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_named_by_its_path(settings: Any, name: str) -> None:
    settings.GRPC_BRIDGE = {name: "grpc_bridge.access.staff"}
    assert load_settings() == replace(BridgeSettings(), **{name.lower(): "grpc_bridge.access.staff"})
    assert named_function(name) is staff


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    "value", [0, "", "nowhere", "grpc_bridge.access.no_such", "grpc_bridge.access.__name__", []], ids=repr
)
def test_what_names_no_function_is_refused(settings: Any, name: str, value: Any) -> None:
    settings.GRPC_BRIDGE = {name: value}
    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings()
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


def test_functions_where_none_are_named(settings: Any) -> None:
    for given in ({}, {"SYNC_THREADS": 0}, None):
        settings.GRPC_BRIDGE = given
        assert (named_function("DEFAULT_ACCESS"), named_function("TOKEN_USER")) == (anyone, None)


@pytest.mark.parametrize("name", ["MAX_MESSAGE_BYTES", "sync_threads", "", 5, None])
def test_a_name_that_there_is_not_is_refused_with_those_that_there_are(settings: Any, name: Any) -> None:
    settings.GRPC_BRIDGE = {"SYNC_THREADS": 1, name: 1}
    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings()
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in NAMES)


@pytest.mark.parametrize("value", [None, 5, "MAX", [1], True], ids=repr)
def test_what_is_no_mapping_is_refused(settings: Any, value: Any) -> None:
    settings.GRPC_BRIDGE = value
    with pytest.raises(ImproperlyConfigured, match="GRPC_BRIDGE"):
        load_settings()


@pytest.mark.parametrize("wrap", [asgi, wsgi])
def test_wrong_settings_stop_the_application_at_its_start(settings: Any, wrap: Any) -> None:
    settings.GRPC_BRIDGE = {"SYNC_THREADS": 0}
    with pytest.raises(ImproperlyConfigured, match="SYNC_THREADS"):
        wrap(None)


def test_the_system_check_says_what_is_wrong(settings: Any) -> None:
    settings.GRPC_BRIDGE = {"SYNC_THREADS": 0}
    (message,) = check_settings()
    assert message.id == "grpc_bridge.E001"
    assert "SYNC_THREADS" in message.msg
    assert message.is_serious()
    settings.GRPC_BRIDGE = {"SYNC_THREADS": 1}
    assert check_settings() == []


def test_manage_py_check_runs_the_checks(settings: Any) -> None:
    settings.GRPC_BRIDGE = {"UNHEARD_OF": 0}
    assert [message.id for message in run_checks(tags=["grpc_bridge"])] == ["grpc_bridge.E001"]


class Interceptor(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, details: Any) -> Any:
        return continuation(details)


class AioInterceptor(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        return await continuation(details)


class FailingInterceptor(Interceptor):
    def __init__(self) -> None:
        raise ValueError("no key is configured")


INSTANCE = Interceptor()
NUMBER = 5


def make_interceptor() -> Interceptor:
    return INSTANCE


def make_nothing() -> None:
    return None


def test_interceptors_are_classes_instances_or_functions_that_give_one(settings: Any) -> None:
    names = ["Interceptor", "AioInterceptor", "INSTANCE", "make_interceptor"]
    settings.GRPC_BRIDGE = {"INTERCEPTORS": [f"{__name__}.{name}" for name in names]}
    first, second, third, fourth = load_settings().interceptors
    assert type(first) is Interceptor
    assert first is not INSTANCE
    assert type(second) is AioInterceptor
    assert third is fourth is INSTANCE


@pytest.mark.parametrize(
    "value",
    ["grpc_bridge", None, 5, [5], [INSTANCE], ["nowhere.at_all"], ["grpc_bridge.missing"], *(
        [f"{__name__}.{name}"] for name in ("FailingInterceptor", "NUMBER", "make_nothing", "missing")
    )],
)  # fmt: skip
def test_what_is_no_interceptor_is_refused_by_name(settings: Any, value: Any) -> None:
    settings.GRPC_BRIDGE = {"INTERCEPTORS": value}
    with pytest.raises(ImproperlyConfigured, match="INTERCEPTORS") as caught:
        load_settings()
    assert repr(value[0] if isinstance(value, list) else value) in str(caught.value)


def test_calls_are_logged_unless_that_is_switched_off(settings: Any) -> None:
    assert BridgeSettings().log_calls is True
    settings.GRPC_BRIDGE = {"LOG_CALLS": False}
    assert load_settings().log_calls is False
    settings.GRPC_BRIDGE = {"LOG_CALLS": 0}
    with pytest.raises(ImproperlyConfigured, match="LOG_CALLS"):
        load_settings()
