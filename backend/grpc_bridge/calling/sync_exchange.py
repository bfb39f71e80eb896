"""What a sync call needs of whatever carries it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from grpc_bridge.calling.answer import Answer, Outcome


class SyncExchange(ABC):
    """One request on its way, and the answer that comes back."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    @abstractmethod
    def begin(self, *, to_the_end: bool) -> None:
        """Begins to send the request.

        `to_the_end` says that nobody is going to take messages one by one, so that the call may be made at once.
        """

    @abstractmethod
    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Waits until the answer has come so far that `condition` holds, which it does when the call is over.

        Gives False if it does not hold within `timeout` seconds.
        """

    def wait_until_over(self, timeout: float | None = None) -> bool:
        """Waits until the call is over. Gives False if it is not within `timeout` seconds."""
        if not self.wait_for(self.answer.settle, timeout):
            return False
        self.call_back()
        return True

    def take_message(self) -> Any:
        """Gives the first message that waits. Raises `IndexError` if there is none."""
        message = self.answer.take_message()
        if self.answer.outcome is not None:
            self.call_back()
        return message

    @abstractmethod
    def call_back(self) -> None:
        """Calls what has been given to `add_end_callback`, soon and once."""

    @abstractmethod
    def end(self, outcome: Outcome) -> bool:
        """Ends the call, unless it is over already: then this gives False."""

    @abstractmethod
    def add_end_callback(self, callback: Callable[[], object]) -> bool:
        """Calls `callback` when the call is over. Gives False, and never calls it, if it is already."""
