"""`rpc` modules of installed apps, found as Django's admin finds its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from grpc_bridge.checks import check_registration
from grpc_bridge.registry import Registry, autodiscover, discovered_registry

REGISTERS = """
import grpc

def register(server):
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server.add_registered_method_handlers("discovered.v1.Service", {"Method": handler})
"""

Installer = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """Installs apps with the given text as their `rpc` module, None for an app without one, and no other app."""
    monkeypatch.syspath_prepend(tmp_path)
    installed: list[str] = []

    def install(**rpc_modules: str | None) -> None:
        for name, text in rpc_modules.items():
            package = tmp_path / name
            package.mkdir()
            (package / "__init__.py").touch()
            if text is not None:
                (package / "rpc.py").write_text(text)
            installed.append(name)
        settings.INSTALLED_APPS = [*installed]

    yield install
    for name in installed:
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]


def paths(registry: Registry) -> list[str]:
    return sorted(method.path for method in registry)


def test_every_app_with_an_rpc_module_is_registered(install: Installer) -> None:
    install(
        discovered_one=REGISTERS,
        discovered_without=None,
        discovered_two=REGISTERS.replace("discovered.v1", "discovered.v2"),
    )
    assert paths(discovered_registry()) == ["/discovered.v1.Service/Method", "/discovered.v2.Service/Method"]


def test_a_real_server_can_be_filled_as_well(install: Installer) -> None:
    install(discovered_server=REGISTERS)
    added: list[str] = []

    class Server:
        def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
            added.extend(f"{service}/{name}" for name in handlers)

    autodiscover(Server())
    assert added == ["discovered.v1.Service/Method"]


def test_each_registry_is_filled_anew(install: Installer) -> None:
    install(discovered_again=REGISTERS)
    assert paths(discovered_registry()) == paths(discovered_registry()) == ["/discovered.v1.Service/Method"]


def test_an_rpc_module_must_register(install: Installer) -> None:
    install(discovered_forgetful="SERVICE = 1")
    with pytest.raises(ImproperlyConfigured, match=r"^discovered_forgetful\.rpc has no function register\(server\)$"):
        discovered_registry()


def test_what_fails_while_importing_is_not_hidden(install: Installer) -> None:
    install(discovered_broken="import a_module_that_nobody_has")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_nobody_has"):
        discovered_registry()


def test_two_apps_must_not_register_the_same_method(install: Installer) -> None:
    install(discovered_first=REGISTERS, discovered_second=REGISTERS)
    with pytest.raises(ImproperlyConfigured, match=r"^/discovered\.v1\.Service/Method is registered twice$"):
        discovered_registry()


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ({"checked_forgetful": ""}, "checked_forgetful.rpc has no function register(server)"),
        ({"checked_one": REGISTERS, "checked_two": REGISTERS}, "/discovered.v1.Service/Method is registered twice"),
    ],
)
def test_the_system_check_says_what_is_wrong(install: Installer, modules: dict[str, str], said: str) -> None:
    install(**modules)
    (message,) = check_registration()
    assert (message.id, message.msg) == ("grpc_bridge.E002", said)
    assert message.is_serious()


def test_the_system_check_is_content_where_nothing_is_wrong(install: Installer) -> None:
    install(checked_good=REGISTERS)
    assert check_registration() == []
