"""The bridge's settings and what is said of wrong ones."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from grpc_bridge import asgi, wsgi
from grpc_bridge.checks import check_settings
from grpc_bridge.conf import BridgeSettings, load_settings

NAMES = [field.name.upper() for field in fields(BridgeSettings)]
SIZES = [field.name.upper() for field in fields(BridgeSettings) if field.type == "int"]
WRONG_VALUES = [0, -1, 2**32, "1", "", 1.0, None, True, False, [1], b"1"]


def test_nothing_set_is_the_defaults(settings: Any) -> None:
    if hasattr(settings, "GRPC_BRIDGE"):
        del settings.GRPC_BRIDGE
    assert load_settings() == BridgeSettings()
    settings.GRPC_BRIDGE = {}
    assert load_settings() == BridgeSettings()


def test_the_limits_are_on_by_default() -> None:
    assert BridgeSettings().max_receive_message_bytes == BridgeSettings().max_send_message_bytes == 4 * 1024 * 1024
    assert BridgeSettings().sync_threads == 32


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [1, 17, 2**32 - 1])
def test_each_size_can_be_set(settings: Any, name: str, value: int) -> None:
    settings.GRPC_BRIDGE = {name: value}
    assert load_settings() == replace(BridgeSettings(), **{name.lower(): value})


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", WRONG_VALUES, ids=repr)
def test_what_it_cannot_be_is_refused_by_name(settings: Any, name: str, value: Any) -> None:
    settings.GRPC_BRIDGE = {name: value}
    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings()
    assert name in str(caught.value)
    assert repr(value) in str(caught.value)


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
