"""The rules of the echo service: what may be asked for, and how much. Knows no protobuf and no HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

MAX_MESSAGES = 10_000
MAX_PAUSE = timedelta(minutes=1)

MAX_COLLECTED_CHARACTERS = 1024 * 1024
"""How much text a call may make the service hold before it answers."""


class InvalidEchoError(ValueError):
    """The request asks for something that the service does not do. The text is for the caller."""


class TooMuchToEchoError(Exception):
    """The caller sends more than the service holds. The text is for the caller."""


@dataclass(frozen=True)
class EchoPlan:
    """A stream to be sent: how many messages, and how long to wait between two of them."""

    message_count: int
    pause_seconds: float

    def pauses(self) -> Iterator[tuple[int, float]]:
        """Gives the number of each message, from 1, and the seconds to wait before it."""
        for sequence in range(1, self.message_count + 1):
            yield sequence, self.pause_seconds if sequence > 1 else 0.0


def plan_stream(message_count: int, pause: timedelta) -> EchoPlan:
    """Gives the plan of a stream. Raises `InvalidEchoError` for a count or a pause that is out of bounds."""
    if not 0 <= message_count <= MAX_MESSAGES:
        raise InvalidEchoError(f"message_count must be between 0 and {MAX_MESSAGES}, not {message_count}")
    if not timedelta(0) <= pause <= MAX_PAUSE:
        raise InvalidEchoError(f"message_interval must be between 0 and {MAX_PAUSE.seconds} seconds")
    return EchoPlan(message_count, pause.total_seconds())


def check_abort_code(code: int) -> int:
    """Gives the status code to abort with. Raises `InvalidEchoError` for a number that is no error's."""
    if not 1 <= code <= 16:
        raise InvalidEchoError(f"code must be a status code from 1 to 16, not {code}")
    return code


def collect(texts: Iterable[str]) -> list[str]:
    """Gives all texts. Raises `TooMuchToEchoError` when they are more than the service holds."""
    collected: list[str] = []
    characters = 0
    for text in texts:
        characters += len(text)
        if len(collected) == MAX_MESSAGES or characters > MAX_COLLECTED_CHARACTERS:
            raise TooMuchToEchoError(f"at most {MAX_MESSAGES} messages and {MAX_COLLECTED_CHARACTERS} characters")
        collected.append(text)
    return collected
