"""Status codes and how a status message travels."""

from __future__ import annotations

from urllib.parse import unquote

import grpc
import pytest

from grpc_bridge.codes import GRPC_CODES, GRPCIO_CODES
from grpc_bridge.protocol.status import StatusCode, StatusError, decode_message, encode_message


@pytest.mark.parametrize("theirs", grpc.StatusCode)
def test_every_code_of_grpcio_is_there_with_its_number(theirs: grpc.StatusCode) -> None:
    ours = StatusCode[theirs.name]
    assert ours.value == theirs.value[0]
    assert GRPC_CODES[theirs] is ours
    assert GRPCIO_CODES[ours] is theirs


def test_there_is_no_other_code() -> None:
    assert {code.name for code in StatusCode} == {code.name for code in grpc.StatusCode}
    assert len(GRPC_CODES) == len(GRPCIO_CODES) == len(StatusCode) == 17


def test_an_error_has_what_the_caller_is_told() -> None:
    error = StatusError(StatusCode.ABORTED, "why", [("a", "b")])
    assert (error.code, error.message, error.headers) == (StatusCode.ABORTED, "why", (("a", "b"),))
    assert str(error) == "ABORTED: why"
    assert StatusError(StatusCode.ABORTED, "").headers == ()


@pytest.mark.parametrize("number", range(128))
def test_only_printable_ascii_but_for_percent_stands_for_itself(number: int) -> None:
    kept = 0x20 <= number <= 0x7E and chr(number) != "%"
    assert encode_message(f"a{chr(number)}b") == (f"a{chr(number)}b" if kept else f"a%{number:02X}b")


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("", ""),
        ("100 %", "100 %25"),
        ("%41", "%2541"),
        ("a+b", "a+b"),
        ("a b  c", "a b  c"),
        (" ", "%20"),
        ("  a b ", "%20%20a b%20"),
        ("\u00fc", "%C3%BC"),
        ("\u2603", "%E2%98%83"),
        ("\U0001f600", "%F0%9F%98%80"),
        ("a\r\nb", "a%0D%0Ab"),
        ("\0\x7f\x80", "%00%7F%C2%80"),
    ],
)
def test_a_message_comes_back(message: str, value: str) -> None:
    assert encode_message(message) == value
    assert decode_message(value) == message
    assert unquote(value, errors="strict") == message  # as decodeURIComponent in a browser


@pytest.mark.parametrize("number", [0xD800, 0xDBFF, 0xDC00, 0xDC80, 0xDFFF])
def test_a_lone_surrogate_becomes_a_question_mark(number: int) -> None:
    assert encode_message(f"a{chr(number)}b") == "a?b"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("%", "%"),
        ("%4", "%4"),
        ("100% of 5%z", "100% of 5%z"),
        ("%zz%41", "%zzA"),
        ("%c3%bc", "\u00fc"),
        ("%FF", "\ufffd"),
        ("%ED%A0%80", "\ufffd\ufffd\ufffd"),
        ("a%C3", "a\ufffd"),
        ("\u00e4", "\u00e4"),
        ("\ud800%41", "?A"),
    ],
)
def test_decoding_keeps_or_replaces_what_is_not_encoded(value: str, message: str) -> None:
    assert decode_message(value) == message
