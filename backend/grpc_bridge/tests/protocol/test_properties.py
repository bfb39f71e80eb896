"""What holds for every input: what was written is read again, and nothing but the core's own errors comes out."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpc_bridge.protocol.compression import DEFLATE, GZIP, Encoding, is_accepted, request_encoding
from grpc_bridge.protocol.frames import HEADER_BYTES
from grpc_bridge.protocol.metadata import decode_metadata, encode_metadata
from grpc_bridge.protocol.negotiation import answer_wire, classify, wire_of
from grpc_bridge.protocol.status import StatusCode, StatusError, decode_message, encode_message
from grpc_bridge.protocol.text import TextDecoder, encode_text
from grpc_bridge.protocol.timeout import LONGEST_SECONDS, decode_timeout
from grpc_bridge.protocol.trailers import decode_trailers, encode_trailers
from grpc_bridge.protocol.wire import BINARY, NATIVE, TEXT, BinaryWire, TextRequestReader
from grpc_bridge.tests.protocol.bodies import LIMIT, Outcome, read_chunks, read_whole, single_bytes
from grpc_bridge.tests.protocol.strategies import (
    any_text,
    binary_bodies,
    cut,
    entry_lists,
    messages,
    payload_lists,
    segmented,
    text_bodies,
)

bodies = st.one_of(
    st.tuples(st.just(BINARY), binary_bodies),
    st.tuples(st.just(TEXT), text_bodies),
    st.tuples(st.sampled_from([BINARY, TEXT]), st.binary(max_size=40)),
)

# What was written is read again.


@given(st.data(), st.sampled_from([BINARY, TEXT]), payload_lists)
def test_messages_come_back_however_the_body_is_cut(
    data: st.DataObject, wire: BinaryWire, payloads: list[bytes]
) -> None:
    body = b"".join(map(wire.message, payloads))
    assert read_whole(wire, body) == Outcome(tuple(payloads))
    assert read_chunks(wire, data.draw(cut(body))) == Outcome(tuple(payloads))


@given(st.data(), payload_lists)
def test_messages_come_back_however_the_text_is_segmented(data: st.DataObject, payloads: list[bytes]) -> None:
    body = data.draw(segmented(b"".join(map(BINARY.message, payloads))))
    assert read_whole(TEXT, body) == Outcome(tuple(payloads))
    assert read_chunks(TEXT, data.draw(cut(body))) == Outcome(tuple(payloads))


@given(st.data(), payload_lists)
def test_a_reader_wants_no_more_than_the_message_needs(data: st.DataObject, payloads: list[bytes]) -> None:
    """Whoever reads what is wanted from a blocking socket must have a message as soon as it has arrived."""
    for wire in (BINARY, TEXT):
        reader = wire.reader(LIMIT)
        for payload in payloads:
            body = wire.message(payload) if wire is BINARY else data.draw(segmented(BINARY.message(payload)))
            messages: list[bytes] = []
            while not messages:
                assert 1 <= reader.wanted_bytes <= len(body)
                wanted, body = body[: reader.wanted_bytes], body[reader.wanted_bytes :]
                messages = list(reader.receive_data(wanted))
            assert messages == [payload]


@given(st.data(), st.lists(st.binary(max_size=12), max_size=6))
def test_segments_come_back(data: st.DataObject, segments: list[bytes]) -> None:
    decoder = TextDecoder()
    chunks = data.draw(cut(b"".join(map(encode_text, segments))))
    assert b"".join(map(decoder.receive_data, chunks)) == b"".join(segments)
    decoder.end()


@given(entry_lists)
def test_metadata_comes_back(entries: list[tuple[str, str | bytes]]) -> None:
    assert list(decode_metadata(encode_metadata(entries))) == entries


@given(st.sampled_from(StatusCode), messages, entry_lists)
def test_trailers_come_back(code: StatusCode, message: str, entries: list[tuple[str, str | bytes]]) -> None:
    payload = encode_trailers(code, message, encode_metadata(entries))[HEADER_BYTES:]
    code_again, message_again, pairs = decode_trailers(payload)
    assert (code_again, message_again) == (code, message)
    # Spaces around a value are no part of it, in HTTP as here.
    stripped = [(key, value.strip(" ") if isinstance(value, str) else value) for key, value in entries]
    assert list(decode_metadata(pairs)) == stripped


@given(messages)
def test_a_status_message_comes_back(message: str) -> None:
    value = encode_message(message)
    assert decode_message(value) == message
    assert value == value.strip(" ")
    assert all(" " <= character <= "~" for character in value)


# Nothing but the core's own errors comes out, and no more is held than promised.


@given(st.data(), bodies)
def test_no_body_does_more_than_be_refused(data: st.DataObject, drawn: tuple[BinaryWire, bytes]) -> None:
    wire, body = drawn
    reader = wire.reader(LIMIT)
    with suppress(StatusError):
        for chunk in data.draw(cut(body)):
            assert all(len(message) <= LIMIT for message in reader.receive_data(chunk))
            assert len(reader._frames._buffer) < HEADER_BYTES + LIMIT
            if isinstance(reader, TextRequestReader):
                assert len(reader._text._rest) < 4
        reader.end()


@given(bodies)
def test_a_whole_body_is_read_like_one_chunk(drawn: tuple[BinaryWire, bytes]) -> None:
    wire, body = drawn
    assert read_whole(wire, body) == read_chunks(wire, [body])


@given(st.data(), bodies)
@settings(max_examples=300)
def test_a_body_is_read_alike_however_it_is_cut(data: st.DataObject, drawn: tuple[BinaryWire, bytes]) -> None:
    """The same messages, and the same error after the same messages."""
    wire, body = drawn
    assert read_whole(wire, body) == read_chunks(wire, data.draw(cut(body)))


def decoded(chunks: list[bytes]) -> tuple[bytes, str | None]:
    decoder = TextDecoder()
    data = b"".join(map(decoder.receive_data, chunks))
    error = decoder.error_at_end()
    return data, error and error.message


@given(st.data(), text_bodies)
@settings(max_examples=300)
def test_text_is_decoded_alike_however_it_is_cut(data: st.DataObject, text: bytes) -> None:
    assert decoded([text]) == decoded(single_bytes(text)) == decoded(data.draw(cut(text)))


@given(st.lists(st.tuples(st.one_of(any_text, st.sampled_from(["k", "k-bin"])), st.one_of(any_text, st.binary()))))
def test_metadata_is_refused_or_cannot_forge_a_line(entries: list[tuple[str, str | bytes]]) -> None:
    try:
        pairs = encode_metadata(entries)
    except ValueError:
        return
    lines = encode_trailers(StatusCode.OK, "", pairs)[HEADER_BYTES:].split(b"\r\n")
    assert lines == [b"grpc-status: 0", *(f"{key}: {value}".encode("ascii") for key, value in pairs), b""]
    assert not any(character < " " or character > "~" for pair in pairs for part in pair for character in part)


@given(st.lists(st.tuples(st.one_of(any_text, st.sampled_from(["K", "k-bin"])), any_text), max_size=4))
def test_headers_become_metadata_or_are_refused(headers: list[tuple[str, str]]) -> None:
    with suppress(StatusError):
        for key, value in decode_metadata(headers):
            assert isinstance(value, bytes if key.endswith("-bin") else str)


@given(st.one_of(any_text, st.from_regex(r"[0-9]{1,20}[A-Za-z]", fullmatch=True)))
def test_a_timeout_is_in_bounds_or_refused(value: str) -> None:
    with suppress(StatusError):
        assert 0 <= decode_timeout(value) <= LONGEST_SECONDS


@given(any_text)
def test_any_status_message_can_be_written_and_read(message: str) -> None:
    assert encode_message(message).isascii()
    assert isinstance(decode_message(message), str)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=8).map(b"grpc-status:%b".__mod__)))
def test_any_trailers_are_read_or_refused(payload: bytes) -> None:
    with suppress(StatusError):
        assert decode_trailers(payload)[0] in StatusCode


@given(st.booleans(), st.booleans(), any_text, any_text)
@pytest.mark.parametrize("wire", [BINARY, TEXT, NATIVE], ids=["binary", "text", "native"])
def test_any_headers_can_be_negotiated(
    wire: BinaryWire, registered: bool, has_http_trailers: bool, one: str, other: str
) -> None:
    assert wire_of(one) in (BINARY, TEXT, NATIVE, None)
    classify(registered, one, other, has_http_trailers)
    assert answer_wire(wire, one) in (wire, TEXT)
    is_accepted(GZIP, one)
    with suppress(StatusError):
        request_encoding(one)


@pytest.mark.parametrize("encoding", [GZIP, DEFLATE], ids=lambda encoding: encoding.name)
@given(st.binary(max_size=2000), st.integers(0, 2000))
def test_what_is_compressed_is_read_again_within_the_limit(encoding: Encoding, message: bytes, limit: int) -> None:
    payload = encoding.compress(message)
    if len(message) <= limit:
        assert encoding.decompress(payload, limit) == message
    else:
        with pytest.raises(StatusError, match="RESOURCE_EXHAUSTED"):
            encoding.decompress(payload, limit)


@pytest.mark.parametrize("encoding", [GZIP, DEFLATE], ids=lambda encoding: encoding.name)
@given(st.binary(max_size=200))
def test_what_is_not_compressed_is_refused(encoding: Encoding, payload: bytes) -> None:
    with pytest.raises(StatusError, match="INTERNAL"):
        encoding.decompress(payload, 1000)
