"""The contract once more, through interceptors of both kinds that wrap every handler and change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.case import Case, check
from tests.contract.cases import CASES
from tests.contract.conftest import INTERCEPTED_SETTINGS
from tests.contract.differences import expected
from tests.contract.methods import SYNC
from tests.contract.native import NativeTransport, connect
from tests.contract.test_interceptors import BY_THE_WRAPPER
from tests.contract.transports import RUNGRPC
from tests.databases import NO_DATABASE
from tests.native_server.process import running_rungrpc
from tests.servers import SIGNS_OF_FAULTS


@pytest.fixture(scope="module")
def intercepted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeTransport]:
    """The server with the interceptors of the contract suite."""
    with (
        running_rungrpc(
            tmp_path_factory.mktemp("intercepted"),
            database=NO_DATABASE,
            settings=INTERCEPTED_SETTINGS,
            faults=SIGNS_OF_FAULTS,
        ) as server,
        connect(server.address) as channel,
    ):
        yield NativeTransport(channel)


@pytest.mark.parametrize(
    ("case", "flavour"),
    [
        pytest.param(case, flavour, id=f"{case.name}-{flavour}")
        for case in CASES
        for flavour in case.flavours
        if flavour == SYNC or case.name not in BY_THE_WRAPPER
    ],
)
def test_wrappers_that_change_nothing_change_nothing(intercepted: NativeTransport, case: Case, flavour: str) -> None:
    check(expected(case, RUNGRPC), intercepted.call(flavour, case.call))
