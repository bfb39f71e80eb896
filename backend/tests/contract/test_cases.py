"""Every case on every transport."""

from __future__ import annotations

import pytest

from tests.contract.case import Case, check
from tests.contract.cases import CASES
from tests.contract.grpc_web import GrpcWebTransport


@pytest.mark.parametrize(
    ("case", "flavour"),
    [pytest.param(case, flavour, id=f"{case.name}-{flavour}") for case in CASES for flavour in case.flavours],
)
def test_case(transport: GrpcWebTransport, case: Case, flavour: str) -> None:
    check(case.answer, transport.call(flavour, case.call))
