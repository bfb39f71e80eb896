"""The corpus, a short search that is always the same, and proof that a search finds what is broken."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from grpc_bridge.protocol import frames, metadata, text, wire
from grpc_bridge.protocol.status import StatusError
from grpc_bridge.transports import asgi_request, wsgi, wsgi_body
from tests.fuzz.case import Case, load_corpus
from tests.fuzz.mutate import Mutator
from tests.fuzz.run import Failure, Fuzzer, Report, search

CORPUS = load_corpus()
SEED = 20261121
COUNT = 600


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Every second case is an error, and says so."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[Fuzzer]:
    with Fuzzer() as fuzzer:
        yield fuzzer


@pytest.mark.parametrize("name", CORPUS)
def test_corpus(fuzzer: Fuzzer, name: str):
    fuzzer.run(CORPUS[name])


@pytest.mark.parametrize("name", CORPUS)
def test_a_case_survives_its_file(name: str):
    assert Case.from_json(CORPUS[name].to_json()) == CORPUS[name]


def test_short_search(fuzzer: Fuzzer, tmp_path: Path):
    report = Report(SEED)
    search(fuzzer, Mutator(SEED, list(CORPUS.values())), report, lambda report: report.executions == COUNT, tmp_path)
    assert report.executions == COUNT
    assert report.peak_bytes > 0
    assert not list(tmp_path.iterdir())


def test_a_seed_gives_the_same_cases():
    one, two, other = (Mutator(seed, list(CORPUS.values())) for seed in (1, 1, 2))
    cases = [one.next() for _ in range(100)]
    assert cases == [two.next() for _ in range(100)]
    assert cases != [other.next() for _ in range(100)]


def drop_the_length_check(patch: pytest.MonkeyPatch) -> None:
    real = frames.split_frames

    def split(data: Any, max_message_bytes: int, encoding: Any = None) -> Any:
        return real(data, 2**40, encoding)

    patch.setattr(frames, "split_frames", split)
    patch.setattr(wire, "split_frames", split)


def take_a_cut_frame(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(frames.FrameReader, "end", lambda self: None)


def take_any_flags(patch: pytest.MonkeyPatch) -> None:
    real = frames.split_frames

    def split(data: Any, max_message_bytes: int, encoding: Any = None) -> Any:
        return real(bytes(data[:0]) + b"\0" + bytes(data[1:]) if data else data, max_message_bytes, encoding)

    patch.setattr(wire, "split_frames", split)


def forget_the_rest_of_a_group(patch: pytest.MonkeyPatch) -> None:
    real = text.TextDecoder.receive_data

    def receive(self: Any, data: bytes) -> bytes:
        decoded = real(self, data)
        self._rest = b""
        return decoded

    patch.setattr(text.TextDecoder, "receive_data", receive)


def let_values_forge_trailers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(metadata, "_VALUE", re.compile(r"(?s)[\x00-\x7f]*"))


def take_a_second_fault_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(asgi_request, "islice", lambda messages, count: islice(messages, 2))


def close_what_has_no_close(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wsgi, "_no_frames", lambda: iter(()))


def lose_the_end_of_a_body(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wsgi_body, "CHUNK_BYTES", 3)
    real = wsgi_body.WsgiBody._read
    patch.setattr(wsgi_body.WsgiBody, "_read", lambda self, size, seconds: real(self, size, seconds)[:2])


def raise_anything(patch: pytest.MonkeyPatch) -> None:
    def decode(value: str) -> float:
        raise KeyError(value)

    patch.setattr("grpc_bridge.admission.decode_timeout", decode)


def reserve_what_is_announced(patch: pytest.MonkeyPatch) -> None:
    real = frames.FrameReader.receive_data

    def receive(self: Any, data: bytes) -> Any:
        length = int.from_bytes((bytes(self._buffer) + data)[1:5], "big")
        self.reserved = bytearray(min(length, 2**24))
        return real(self, data)

    patch.setattr(frames.FrameReader, "receive_data", receive)


def keep_every_error(patch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    real = StatusError.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        kept.append(bytes(20_000))

    patch.setattr(StatusError, "__init__", init)


@pytest.mark.parametrize(
    "sabotage",
    [
        drop_the_length_check,
        take_a_cut_frame,
        take_any_flags,
        forget_the_rest_of_a_group,
        let_values_forge_trailers,
        lose_the_end_of_a_body,
        raise_anything,
        reserve_what_is_announced,
        keep_every_error,
    ],
)
def test_a_search_finds_what_is_broken(sabotage: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    sabotage(monkeypatch)
    mutator = Mutator(SEED, list(CORPUS.values()))
    with Fuzzer() as fuzzer, pytest.raises(Failure) as info:
        search(fuzzer, mutator, Report(SEED), lambda report: report.executions == COUNT, tmp_path)
    assert info.value.offences
    if sabotage is not keep_every_error:  # no single case does that
        (file,) = tmp_path.iterdir()
        assert Case.from_json(file.read_text()) == info.value.case


@pytest.mark.parametrize(
    ("sabotage", "name"),
    [
        (take_a_second_fault_first, "unary_fault_behind_the_second_message"),
        (close_what_has_no_close, "lost_before_the_answer_to_a_bad_stream"),
    ],
)
def test_the_corpus_finds_again_what_a_search_once_found(sabotage: Any, name: str, monkeypatch: pytest.MonkeyPatch):
    sabotage(monkeypatch)
    with Fuzzer() as fuzzer, pytest.raises(Failure):
        fuzzer.run(CORPUS[name])


def test_a_case_that_hangs_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.fuzz.core.offences", lambda case: time.sleep(1) or ())
    with Fuzzer() as fuzzer, pytest.raises(Failure, match=r"no end after 0\.05 seconds") as info:
        fuzzer.run(CORPUS["unary_binary"], seconds=0.05)
    assert "offences" in str(info.value)
    assert info.value.case is CORPUS["unary_binary"]
