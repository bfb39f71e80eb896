"""Metadata: what may travel, how it is written, what is understood of other peers."""

from __future__ import annotations

from typing import Any

import pytest

from grpc_bridge.protocol.metadata import Metadatum, decode_metadata, encode_metadata
from grpc_bridge.protocol.status import StatusCode, StatusError

# Written out here and not imported: a name that falls out of the code's list must fail a test.
OF_HTTP_OR_OF_THE_CALL = [
    "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect",
    "grpc-accept-encoding", "grpc-encoding", "grpc-timeout", "host", "keep-alive", "proxy-authenticate",
    "proxy-authorization", "proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade",
]  # fmt: skip
OF_APPLICATIONS = [
    "authorization", "cookie", "user-agent", "origin", "x-grpc-web", "x-user-agent", "x-csrftoken", "grpc-trace-bin",
    "a", "0", "a.b-c_d", "accept-language", "content", "hosts",
]  # fmt: skip
NOT_KEYS = [
    "", "A", "Trace-Id", ":path", ":", "a b", " a", "a ", "a:", "a\r", "a\n", "a\r\nb", "a\0", "a\t", "\u00fc",
    "\u017f", "\u212a", "a/b", "a+b", "a@b", "a,b", "a=b", 'a"', "a\x7f", None, 5, b"a",
]  # fmt: skip


@pytest.mark.parametrize("key", [*OF_HTTP_OR_OF_THE_CALL, "grpc-status", "grpc-message"])
def test_reserved_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is reserved"):
        encode_metadata([(key, "a")])


@pytest.mark.parametrize("key", NOT_KEYS)
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(ValueError, match="may only hold lower case letters"):
        encode_metadata([(key, "a")])


@pytest.mark.parametrize(
    "character", [*map(chr, [*range(0x20), *range(0x7F, 0x100)]), "\u20ac", "\ud800", "\U0001f600"]
)
@pytest.mark.parametrize("where", ["{}", "a{}", "{}a", "a{}b"])
def test_a_value_holds_printable_ascii_only(character: str, where: str) -> None:
    with pytest.raises(ValueError, match="may only hold printable ASCII"):
        encode_metadata([("k", where.format(character))])


@pytest.mark.parametrize("value", [None, 5, ["a"], bytearray(b"a")])
def test_a_value_is_text_or_bytes(value: Any) -> None:
    with pytest.raises(ValueError, match="may only hold printable ASCII"):
        encode_metadata([("k", value)])


@pytest.mark.parametrize("value", ["text", "", None, 5, bytearray(b"a"), memoryview(b"a")])
def test_a_binary_value_is_bytes(value: Any) -> None:
    with pytest.raises(ValueError, match="'k-bin' must be bytes"):
        encode_metadata([("k-bin", value)])


@pytest.mark.parametrize("byte", [0x00, 0x0A, 0x0D, 0x1F, 0x7F, 0xE4, 0xFF])
def test_bytes_of_a_text_value_are_held_to_the_same(byte: int) -> None:
    with pytest.raises(ValueError, match="may only hold printable ASCII"):
        encode_metadata([("k", b"a" + bytes([byte]))])


def test_one_bad_entry_refuses_all() -> None:
    with pytest.raises(ValueError, match="'B'"):
        encode_metadata([("a", "1"), ("B", "2")])


@pytest.mark.parametrize("key", [*OF_APPLICATIONS, "grpc-status-details"])
def test_keys_of_applications_travel(key: str) -> None:
    binary = key.endswith("-bin")
    assert encode_metadata([(key, b"i\xb7\x1d" if binary else "abcd")]) == ((key, "abcd"),)


@pytest.mark.parametrize(
    ("entry", "pair"),
    [
        (("k", ""), ("k", "")),
        (("k", " a, b "), ("k", " a, b ")),
        (("k", "".join(map(chr, range(0x20, 0x7F)))), ("k", "".join(map(chr, range(0x20, 0x7F))))),
        (("k", b"abc"), ("k", "abc")),
        (("k-bin", b""), ("k-bin", "")),
        (("k-bin", b"\0"), ("k-bin", "AA")),
        (("k-bin", b"\0\r\n\xff"), ("k-bin", "AA0K/w")),
        (("k-bin", b"abc"), ("k-bin", "YWJj")),
        (("-bin", b"abc"), ("-bin", "YWJj")),
        (("grpc-status-details-bin", b"\x08\x05"), ("grpc-status-details-bin", "CAU")),
        (Metadatum("k", "a"), ("k", "a")),
    ],
)
def test_an_entry_is_written_as_a_header(entry: tuple[str, str | bytes], pair: tuple[str, str]) -> None:
    assert encode_metadata([entry]) == (pair,)


def test_order_and_duplicates_are_kept_when_written() -> None:
    metadata = [("b", "1"), ("a", "2"), ("b", "1"), ("b-bin", b"1"), ("b-bin", b"1")]
    assert encode_metadata(iter(metadata)) == (("b", "1"), ("a", "2"), ("b", "1"), ("b-bin", "MQ"), ("b-bin", "MQ"))


@pytest.mark.parametrize("key", OF_HTTP_OR_OF_THE_CALL)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.title], ids=["lower", "upper", "title"])
def test_headers_of_http_or_of_the_call_are_not_metadata(key: str, case: Any) -> None:
    assert decode_metadata([("a", "1"), (case(key), "x"), ("b", "2")]) == (("a", "1"), ("b", "2"))


@pytest.mark.parametrize("key", OF_APPLICATIONS)
def test_other_headers_are_metadata(key: str) -> None:
    value = b"i\xb7\x1d" if key.endswith("-bin") else "abcd"
    assert decode_metadata([(key, "abcd"), (key.upper(), "abcd")]) == ((key, value), (key, value))


@pytest.mark.parametrize(
    "name", [key for key in NOT_KEYS if isinstance(key, str) and key not in ("A", "Trace-Id", "\u212a")]
)
def test_headers_that_cannot_be_keys_are_dropped(name: str) -> None:
    assert decode_metadata([(name, "x"), ("a", "1")]) == (("a", "1"),)


@pytest.mark.parametrize(
    "value", ["", " ", "a, b", "a\tb", "\x01", "\x7f", "\u00e4", "\u00ff\u00fe", "%41", "=?utf-8?"]
)
def test_odd_values_do_no_harm(value: str) -> None:
    assert decode_metadata([("k", value)]) == (("k", value),)


def test_order_and_duplicates_are_kept_when_read() -> None:
    headers = [("b", "1"), ("A", "2"), ("b", "1"), ("b-bin", "MQ"), ("b-bin", "MQ")]
    assert decode_metadata(headers) == (("b", "1"), ("a", "2"), ("b", "1"), ("b-bin", b"1"), ("b-bin", b"1"))


def test_an_entry_has_the_two_fields_of_grpcios() -> None:
    (entry,) = decode_metadata([("K", "v")])
    assert (entry.key, entry.value) == ("k", "v")


@pytest.mark.parametrize(
    ("value", "values"),
    [
        ("AA", [b"\0"]),
        ("AA==", [b"\0"]),
        ("AA=", [b"\0"]),
        ("AAE", [b"\0\1"]),
        ("AAE=", [b"\0\1"]),
        ("YWJj", [b"abc"]),
        ("+/+/", [b"\xfb\xff\xbf"]),
        ("", [b""]),
        ("YQ,Yg", [b"a", b"b"]),
        ("YQ==,Yg==", [b"a", b"b"]),
        (" YQ ,\tYg== , Yw", [b"a", b"b", b"c"]),
        ("YQ,,Yg", [b"a", b"", b"b"]),
    ],
)
def test_a_binary_value_may_be_padded_or_not_and_joined_by_commas(value: str, values: list[bytes]) -> None:
    assert decode_metadata([("k-bin", value)]) == tuple(("k-bin", each) for each in values)


@pytest.mark.parametrize(
    "value",
    ["A", "AAAAA", "!!!", "a b", "-_-_", "AA=A", "=AAA", "YQ==YQ==", "YQ;Yg", "\u00e4", "YQ\n", "AA\0A", "YQ,!"],
)
def test_a_binary_value_that_is_not_base64_is_refused(value: str) -> None:
    with pytest.raises(StatusError) as caught:
        decode_metadata([("K-Bin", value)])
    assert caught.value.code is StatusCode.INTERNAL
    assert caught.value.message == "Metadata entry 'k-bin' is not base64"
