"""The table of differences says what is needed and nothing else."""

from __future__ import annotations

import pytest

from tests.contract.case import Case
from tests.contract.cases import CASES
from tests.contract.differences import DIFFERENCES, Difference
from tests.contract.transports import BRIDGE, SERVED


def served(difference: Difference) -> list[tuple[Case, str]]:
    """Gives what a difference applies to: cases, each with a transport on which it runs."""
    return [
        (case, transport)
        for transport, flavours in SERVED.items()
        for case in CASES
        if set(flavours) & set(case.flavours) and difference.applies(case, transport)
    ]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: f"{one.cases} on {one.transports}")
def test_an_entry_is_needed(difference: Difference) -> None:
    """That a transport really answers so is for `test_cases.py` to say."""
    assert served(difference)
    for case, _ in served(difference):
        assert any(getattr(case.answer, field) != value for field, value in difference.changes.items()), case.name


def test_no_case_has_two_entries_on_a_transport() -> None:
    found = [(case.name, case.flavours, transport) for one in DIFFERENCES for case, transport in served(one)]
    assert len(found) == len(set(map(repr, found)))


def test_the_bridge_differs_from_its_cases_only_by_what_wsgi_cannot_do_and_a_client_does_itself() -> None:
    assert {case.name for one in DIFFERENCES for case, transport in served(one) if transport in BRIDGE} == {
        "invocation metadata, twice",
        "deadline passes in a unary method",
        "deadline passes in a stream",
    }
