"""Every request body in every way that it may arrive."""

from __future__ import annotations

import pytest

from grpc_bridge.tests.protocol.bodies import AFTER, BODIES, LIMIT, WAYS, Body, expected, read


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_body(body: Body, way: str) -> None:
    assert read(way, body) == expected(way, body)


def test_names_of_bodies_differ() -> None:
    assert len({body.name for body in BODIES}) == len(BODIES)


def test_no_expected_message_is_above_the_limit() -> None:
    assert max(len(message) for body in BODIES for message in (*body.messages, AFTER)) <= LIMIT
