"""What property tests draw: bodies right and wrong, cut anywhere."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import strategies as st

from grpc_bridge.tests.protocol.bodies import LIMIT, frame, header

payloads = st.binary(max_size=LIMIT)
payload_lists = st.lists(payloads, max_size=5)

keys = st.text("0123456789abcdefghijklmnopqrstuvwxyz_.-", max_size=8).map("x-{}-x".format)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
text_entries = st.tuples(keys, values)
binary_entries = st.tuples(keys.map(lambda key: key + "-bin"), st.binary(max_size=12))
entry_lists = st.lists(st.one_of(text_entries, binary_entries), max_size=5)

messages = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)

odd_characters = st.sampled_from("\r\n\t\0 %,;:=_1\x7f\xe4\u0661") | st.sampled_from([0xD800, 0xDC80, 0xDFFF]).map(chr)
any_text = st.text(st.characters(exclude_categories=[]) | odd_characters, max_size=40)
"""Any str at all, lone surrogates included."""


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """Cuts a body anywhere, also into empty chunks."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@st.composite
def segmented(draw: st.DrawFn, data: bytes) -> bytes:
    """Writes bytes as base64 segments that end anywhere, with line breaks anywhere."""
    text = b"".join(map(b64encode, draw(cut(data))))
    return draw(st.sampled_from([b"", b"\r\n", b"\n"])).join(draw(cut(text)))


pieces = st.one_of(
    payloads.map(frame),
    payloads.map(lambda payload: frame(payload)[:-1]),
    st.builds(header, st.integers(0, 255), st.sampled_from([0, 1, LIMIT, LIMIT + 1, 2**31, 2**32 - 1])),
    st.binary(max_size=12),
)
binary_bodies = st.lists(pieces, max_size=4).map(b"".join)
"""Bodies that are right for a while, and then often not."""

damage = st.sampled_from([b"=", b"==", b"====", b"A", b"AA", b"*", b"\xff", b"\n"])
good_groups = st.sampled_from([b"AAAA", b"AAA=", b"AA==", b"A\nAAA"])
bad_groups = st.sampled_from([b"A===", b"====", b"=AAA", b"A=AA", b"AA=A", b"AA*A", b"==", b"A"])


@st.composite
def damaged_text(draw: st.DrawFn) -> bytes:
    """Base64 with a fault anywhere."""
    text = draw(segmented(draw(binary_bodies)))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(damage) + text[at:]
    return text


text_bodies = st.one_of(damaged_text(), st.lists(good_groups | bad_groups, max_size=4).map(b"".join))
"""Bodies that are base64 for a while, and then often not."""
