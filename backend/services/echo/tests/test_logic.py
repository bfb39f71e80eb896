"""The rules of the echo service."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.echo import logic

SECOND = timedelta(seconds=1)


def test_the_first_message_is_not_waited_for():
    assert list(logic.plan_stream(3, timedelta(milliseconds=250)).pauses()) == [(1, 0.0), (2, 0.25), (3, 0.25)]


@pytest.mark.parametrize(("count", "pause"), [(0, SECOND), (0, timedelta(0)), (1, SECOND)])
def test_short_streams(count: int, pause: timedelta):
    assert [sequence for sequence, _ in logic.plan_stream(count, pause).pauses()] == list(range(1, count + 1))


@pytest.mark.parametrize(("count", "pause"), [(logic.MAX_MESSAGES, timedelta(0)), (1, logic.MAX_PAUSE)])
def test_the_bounds_are_in(count: int, pause: timedelta):
    plan = logic.plan_stream(count, pause)
    assert (plan.message_count, plan.pause_seconds) == (count, pause.total_seconds())


@pytest.mark.parametrize("count", [-1, logic.MAX_MESSAGES + 1, -(2**31), 2**31 - 1])
def test_counts_out_of_bounds(count: int):
    with pytest.raises(logic.InvalidEchoError, match=rf"^message_count must be between 0 and 10000, not {count}$"):
        logic.plan_stream(count, timedelta(0))


@pytest.mark.parametrize("pause", [timedelta(microseconds=-1), logic.MAX_PAUSE + timedelta(microseconds=1)])
def test_pauses_out_of_bounds(pause: timedelta):
    with pytest.raises(logic.InvalidEchoError, match=r"^message_interval must be between 0 and 60 seconds$"):
        logic.plan_stream(1, pause)


@pytest.mark.parametrize("code", range(1, 17))
def test_codes_of_errors(code: int):
    assert logic.check_abort_code(code) == code


@pytest.mark.parametrize("code", [0, -1, 17, 2**31 - 1])
def test_codes_of_no_error(code: int):
    with pytest.raises(logic.InvalidEchoError, match=rf"^code must be a status code from 1 to 16, not {code}$"):
        logic.check_abort_code(code)


@pytest.mark.parametrize(
    "texts", [[], ["one"], ["", "two", ""], ["x" * logic.MAX_COLLECTED_CHARACTERS], [""] * logic.MAX_MESSAGES]
)
def test_collecting(texts: list[str]):
    assert logic.collect(iter(texts)) == texts


def test_collecting_too_many_messages():
    with pytest.raises(logic.TooMuchToEchoError, match="at most 10000 messages and 1048576 characters"):
        logic.collect("" for _ in range(logic.MAX_MESSAGES + 1))


def test_collecting_too_many_characters():
    with pytest.raises(logic.TooMuchToEchoError):
        logic.collect(["x" * logic.MAX_COLLECTED_CHARACTERS, "x"])


def test_collecting_stops_where_it_is_too_much():
    """The rest is not even looked at: it may have no end."""

    def endless():
        while True:
            yield "x"

    with pytest.raises(logic.TooMuchToEchoError):
        logic.collect(endless())
