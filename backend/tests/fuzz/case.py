"""One request, and its file in the corpus."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """A request as a server hands it to an application.

    Header names are lower case; names and values are what latin-1 can hold, as in HTTP.
    """

    path: str
    headers: Headers
    chunks: tuple[bytes, ...] = (b"",)
    http_method: str = "POST"

    has_length: bool = True
    """Whether the request announces the length of its body. Else it is chunked."""

    missing: int = 0
    """How many bytes of the announced length never come. Negative: how many come that were not announced."""

    lost_after_chunks: int | None = None
    """The connection is lost when so many chunks have been received."""

    lost_after_writes: int | None = None
    """The connection is lost when so many pieces of the answer have been sent."""

    has_trailers: bool = False
    """Whether the server offers HTTP trailers."""

    @property
    def announced_length(self) -> int | None:
        """The length that the request announces, in bytes. None for a chunked one."""
        return max(sum(map(len, self.chunks)) + self.missing, 0) if self.has_length else None

    @property
    def delivered(self) -> tuple[bytes, ...]:
        """The chunks that a server hands on: nothing beyond the announced length, nothing after the loss."""
        left = self.announced_length
        chunks = []
        for chunk in self.chunks[: self.lost_after_chunks]:
            chunks.append(chunk if left is None else chunk[:left])
            left = None if left is None else left - len(chunks[-1])
        return tuple(chunks)

    @property
    def breaks_off(self) -> bool:
        """Whether the body ends before its end."""
        if self.announced_length is not None:
            return sum(map(len, self.delivered)) < self.announced_length
        return self.lost_after_chunks is not None and self.lost_after_chunks < len(self.chunks)

    @property
    def is_lost(self) -> bool:
        """Whether the client goes away before it has its answer, or may do so."""
        return self.breaks_off or self.lost_after_chunks is not None or self.lost_after_writes is not None

    def header(self, name: str) -> str | None:
        """Gives a header, several of one name joined by commas as HTTP has it."""
        values = [value for key, value in self.headers if key == name]
        return ",".join(values) if values else None

    def to_json(self) -> str:
        """Gives the case as the text of a file. What has its default is left out, bytes are hexadecimal."""
        values = {name: value for name, value in asdict(self).items() if value != _DEFAULTS.get(name, ...)}
        values["chunks"] = [chunk.hex() for chunk in self.chunks]
        return json.dumps(values, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Reads what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        values["headers"] = tuple((name, value) for name, value in values["headers"])
        values["chunks"] = tuple(bytes.fromhex(chunk) for chunk in values["chunks"])
        return cls(**values)

    @property
    def name(self) -> str:
        """A name by its content."""
        return sha256(self.to_json().encode()).hexdigest()[:16]


_DEFAULTS = {each.name: each.default for each in fields(Case)}


def load_corpus() -> dict[str, Case]:
    """Gives the committed cases by their file names."""
    return {path.stem: Case.from_json(path.read_text()) for path in sorted(CORPUS.glob("*.json"))}
