"""An answer as it arrives, for calls of all kinds, and how a call ends."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import grpc

from grpc_bridge.calling.method import RequestError, StubMethod
from grpc_bridge.codes import GRPCIO_CODES
from grpc_bridge.protocol.answer import AnswerReader, AnswerStatus
from grpc_bridge.protocol.frames import HEADER_BYTES
from grpc_bridge.protocol.metadata import Metadatum
from grpc_bridge.protocol.status import StatusError


class Outcome(NamedTuple):
    """How a call ended."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[Metadatum, ...] = ()
    cause: BaseException | None = None
    """What kept the call from going on, where that is an exception on this side; or what a test's handler raised."""


logger = logging.getLogger("grpc_bridge.calling")

CANCELLED = Outcome(grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
CHANNEL_CLOSED = Outcome(grpc.StatusCode.CANCELLED, "Channel closed!")
DEADLINE_EXCEEDED = Outcome(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


def request_failed(error: Exception) -> Outcome:
    """Gives the end of a call whose iterator of requests, or whose serializer, has raised `error`."""
    if isinstance(error, StatusError):
        return refused(error)
    if isinstance(error, RequestError):
        return Outcome(grpc.StatusCode.INTERNAL, str(error), (), error.__cause__)
    return Outcome(grpc.StatusCode.UNKNOWN, "Exception iterating requests!", (), error)


def refused(error: StatusError) -> Outcome:
    """Gives the end of a call that one side of it made impossible."""
    return Outcome(GRPCIO_CODES[error.code], error.message)


def call_all(callbacks: Iterable[Callable[[], object]]) -> None:
    """Calls what wants to know of the end of a call. One that fails does not keep the others from being called."""
    for callback in callbacks:
        try:
            callback()
        except Exception:
            logger.exception("Exception in callback %r", callback)


class Answer:
    """An answer as it arrives. Its messages wait to be taken.

    A call is not over while responses wait that the server has sent before its status: it can be cancelled until they
    are taken, or somebody asks for the status. One thread may feed the answer while another takes messages, and any may
    end the call.
    """

    def __init__(self, method: StubMethod) -> None:
        self._method = method
        self._reader = AnswerReader(method.max_receive_bytes)
        self._messages: deque[tuple[Any, int]] = deque()
        self._received_bytes = 0  # Two counts, because each is written by one thread only.
        self._taken_bytes = 0
        self._end_lock = threading.RLock()
        self.initial_metadata: tuple[Metadatum, ...] | None = None
        """None until it is known."""
        self.cookies: list[str] = []
        """The values of the `set-cookie` headers."""
        self.failures: list[BaseException] = []
        """Exceptions of a test's handler that its caller is not told about."""
        self.outcome: Outcome | None = None
        """None until the call is over."""
        self._outcome_to_come: Outcome | None = None
        self._is_held_back = False
        self.has_status = False
        """Whether the outcome is the one that the answer brought."""

    @property
    def is_rpc(self) -> bool:
        """Whether this is the answer to a call, and not a page that came in its place."""
        return self._reader.is_rpc

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is read of this answer: the status is there, or the call is over without one."""
        return self._outcome_to_come is not None or self.outcome is not None

    @property
    def has_message(self) -> bool:
        """Whether a message waits."""
        return bool(self._messages)

    @property
    def waiting_bytes(self) -> int:
        """The size of the messages that wait."""
        return self._received_bytes - self._taken_bytes

    @property
    def response(self) -> Any:
        """The message of an answer that has one and is OK."""
        return self._messages[0][0]

    def start(self, http_status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Takes the head of the answer."""
        headers = list(headers)
        self.cookies = [value for name, value in headers if name.lower() == "set-cookie"]
        try:
            self._reader.start(http_status, headers)
        except StatusError as error:
            self.end(refused(error))
        else:
            self.initial_metadata = self._reader.initial_metadata

    def receive_data(self, data: bytes) -> None:
        """Takes a piece of the body. When the answer is complete this changes nothing."""
        if self.is_complete:
            return
        try:
            for message in self._reader.receive_data(data):
                if not self._add(message):
                    return
        except StatusError as error:
            self.end(refused(error))
            return
        self.initial_metadata = self._reader.initial_metadata
        if self._reader.status is not None:
            self._end_with(self._reader.status)

    def _add(self, payload: bytes) -> bool:
        deserialize = self._method.deserialize
        try:
            message = payload if deserialize is None else deserialize(payload)
        except Exception as error:  # the call fails where its caller cannot read it, as with grpcio
            self.end(Outcome(grpc.StatusCode.INTERNAL, "Exception deserializing response!", (), error))
            return False
        self._received_bytes += HEADER_BYTES + len(payload)
        self._messages.append((message, HEADER_BYTES + len(payload)))
        if len(self._messages) > 1 and not self._method.response_streaming:
            self.end(_not_one_message("more than one message"))
            return False
        return True

    def _end_with(self, status: AnswerStatus) -> None:
        self.has_status = True
        if not status.code and not self._method.response_streaming and not self._messages:
            self.end(_not_one_message("no message"))
            return
        cause = self.failures[-1] if self.failures else None
        # A success has no message; grpcio's client drops one, too.
        details = status.message if status.code else ""
        self._outcome_to_come = Outcome(GRPCIO_CODES[status.code], details, status.trailing_metadata, cause)
        if not (self._messages and self._method.response_streaming):
            self.settle()

    def hold_back(self) -> None:
        """Keeps the call from being over by its status, until `let_go`."""
        self._is_held_back = True

    def let_go(self) -> None:
        """Lets the call be over by its status."""
        self._is_held_back = False
        if not (self._messages and self._method.response_streaming):
            self.settle()

    def take_message(self) -> Any:
        """Gives the first message that waits."""
        message, size = self._messages.popleft()
        self._taken_bytes += size
        if not self._messages:
            self.settle()
        return message

    def settle(self) -> bool:
        """The call is over if the answer is complete, and nothing holds it back. Gives whether it is."""
        if self._outcome_to_come is not None and not self._is_held_back:
            self.end(self._outcome_to_come)
        return self.outcome is not None

    def end_of_body(self) -> None:
        """The body has ended, so the answer is complete."""
        if not self.is_complete:
            try:
                self._reader.end()
            except StatusError as error:
                self.end(refused(error))
            else:
                self.initial_metadata = self._reader.initial_metadata
                assert self._reader.status is not None
                self._end_with(self._reader.status)

    def end(self, outcome: Outcome) -> bool:
        """The call ends with `outcome`. After the end this changes nothing and gives False."""
        with self._end_lock:
            if self.outcome is not None:
                return False
            self.initial_metadata = self.initial_metadata or ()
            self.outcome = outcome
            return True


def _not_one_message(found: str) -> Outcome:
    # grpc/grpc doc/statuscodes.md: "Response cardinality violation".
    return Outcome(grpc.StatusCode.UNIMPLEMENTED, f"The answer has {found} instead of one")
