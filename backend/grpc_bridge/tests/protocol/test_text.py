"""Text mode: segments in, segments out."""

from __future__ import annotations

from base64 import b64decode

import pytest

from grpc_bridge.protocol.status import StatusCode, StatusError
from grpc_bridge.protocol.text import TextDecoder, decode_groups, encode_text
from grpc_bridge.tests.protocol.bodies import single_bytes


@pytest.mark.parametrize(
    ("data", "segment"),
    [(b"", b""), (b"f", b"Zg=="), (b"fo", b"Zm8="), (b"foo", b"Zm9v"), (b"\xff\xef\xbe", b"/+++")],
)
def test_a_segment_is_padded_and_has_the_standard_letters(data: bytes, segment: bytes) -> None:
    assert encode_text(data) == segment
    assert decode_groups(segment) == data


@pytest.mark.parametrize("length", range(64))
def test_a_segment_has_no_line_breaks_and_ends_on_a_group(length: int) -> None:
    segment = encode_text(b"\xfb" * length)
    assert len(segment) == (length + 2) // 3 * 4
    assert b64decode(segment, validate=True) == b"\xfb" * length


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_in_a_body_is_base64_or_refused(byte: int) -> None:
    decoder = TextDecoder()
    data = b"AA" + bytes([byte])
    if byte in b"\r\n":
        assert decoder.receive_data(data + b"AA") == b"\0\0\0"
    elif byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/":
        assert len(decoder.receive_data(data + b"A")) == 3
    else:
        assert decoder.receive_data(b"Zm9v" + data + b"A" + b"Zm9v") == b"foo"
        assert decoder.receive_data(b"Zm9v") == b""
        with pytest.raises(StatusError, match="INTERNAL: Request body is not base64"):
            decoder.end()


def test_only_whole_groups_are_given_and_at_most_three_characters_kept() -> None:
    decoder, given = TextDecoder(), []
    for character in single_bytes(b"Zm9v\r\nZm8=Zg==\n"):
        given.append(decoder.receive_data(character))
        assert len(decoder._rest) <= 3
    assert [part for part in given if part] == [b"foo", b"fo", b"f"]
    decoder.end()


@pytest.mark.parametrize("rest", [b"Z", b"Zm", b"Zm9", b"Zg=", b"Z\n"])
def test_an_end_inside_a_group_is_refused(rest: bytes) -> None:
    decoder = TextDecoder()
    assert decoder.receive_data(b"Zm9v" + rest) == b"foo"
    with pytest.raises(StatusError) as caught:
        decoder.end()
    assert caught.value.code is StatusCode.INTERNAL


@pytest.mark.parametrize(
    ("rest", "wanted_bytes", "characters"),
    [
        (b"", 1, 4), (b"", 3, 4), (b"", 4, 8), (b"", 5, 8), (b"", 6, 8), (b"", 7, 12),
        (b"Z", 5, 7), (b"Zm", 5, 6), (b"Zm9", 5, 5), (b"Zm9", 1, 1), (b"Z\n", 1, 3), (b"Zm9v", 1, 4),
    ],
)  # fmt: skip
def test_a_decoder_says_how_many_characters_carry_so_many_bytes(
    rest: bytes, wanted_bytes: int, characters: int
) -> None:
    decoder = TextDecoder()
    decoder.receive_data(rest)
    assert decoder.wanted_characters(wanted_bytes) == characters
