"""grpc-timeout."""

from __future__ import annotations

import pytest

from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.timeout import LONGEST_SECONDS, decode_timeout, encode_timeout


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1H", 3600.0),
        ("1M", 60.0),
        ("1S", 1.0),
        ("1m", 0.001),
        ("1u", 0.000001),
        ("1n", 0.000000001),
        ("0H", 0.0),
        ("0n", 0.0),
        ("007S", 7.0),
        ("1500m", 1.5),
        ("99999999S", 99999999.0),
        ("99999999m", 99999.999),
        ("1036800000m", 1036800.0),  # grpc-web in a browser, twelve days: ten digits
        ("9999999999999999999n", 315360000.0),
    ],
)
def test_a_timeout_is_digits_and_a_unit(value: str, seconds: float) -> None:
    assert decode_timeout(value) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("unit", "HMSmun")
def test_a_timeout_is_never_longer_than_clocks_can_bear(unit: str) -> None:
    assert decode_timeout("9" * 19 + unit) == LONGEST_SECONDS


@pytest.mark.parametrize(
    "value",
    [
        "", "S", "1", "-1S", "+1S", "1.5S", "1_0S", "0x1S", "1e3S", " 1S", "1S ", "1 S", "1S\n", "1S\r\n", "1S\0", "1s",
        "1h", "1U", "1N", "1ms", "1SS", "S1", "1S,1S", "1S, 2S", "\u0661S", "\u00b2S", "1\u017f", "9" * 20 + "n",
    ],
)  # fmt: skip
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(StatusError) as caught:
        decode_timeout(value)
    assert (caught.value.code, caught.value.message) == (StatusCode.INTERNAL, "Error parsing 'grpc-timeout'")


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (0, "0n"),
        (-1, "0n"),
        (1e-12, "1n"),
        (0.05, "50000000n"),
        (1.5, "1500000u"),
        (100, "100000m"),
        (86400.0 * 30, "2592000S"),
        (float("inf"), "5256000M"),
    ],
)
def test_a_timeout_is_written_in_the_finest_unit_that_eight_digits_can_say(seconds: float, value: str) -> None:
    assert encode_timeout(seconds) == value
    assert decode_timeout(value) == pytest.approx(min(max(seconds, 1e-9), LONGEST_SECONDS) if seconds > 0 else 0)
