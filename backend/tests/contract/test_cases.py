"""Every case on every transport that serves it, grpcio's own servers among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.case import Case, check
from tests.contract.cases import CASES
from tests.contract.differences import NEVER_SECONDS, expected, is_answered
from tests.contract.transports import SERVED


@pytest.mark.parametrize(
    ("transport_name", "case", "flavour"),
    [
        pytest.param(transport_name, case, flavour, id=f"{transport_name}-{case.name}-{flavour}")
        for transport_name, flavours in SERVED.items()
        for case in CASES
        for flavour in case.flavours
        if flavour in flavours
    ],
)
def test_case(transport_of: Callable[[str], Any], transport_name: str, case: Case, flavour: str) -> None:
    waits = () if is_answered(case, transport_name) else (NEVER_SECONDS,)
    check(expected(case, transport_name), transport_of(transport_name).call(flavour, case.call, *waits))


def test_names_of_cases_differ_where_they_are_for_the_same_servicer() -> None:
    names = [(case.name, flavour) for case in CASES for flavour in case.flavours]
    assert len(names) == len(set(names))
