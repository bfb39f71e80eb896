"""The state of one call: what was asked, what its handler has set, and how it ends. Both kinds of context share it.

It knows no transport: where metadata and peer come from is the business of the `CallSource` that the transport hands
in, and nothing is decoded before it is asked for. What a handler calls is in `context.py`.
"""

from __future__ import annotations

import logging
import random
import threading
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import grpc

from grpc_bridge.codes import GRPC_CODES
from grpc_bridge.conf import BridgeSettings
from grpc_bridge.errors import HandlerError, status_of
from grpc_bridge.protocol.compression import DEFLATE, GZIP, Encoding, is_accepted
from grpc_bridge.protocol.metadata import Metadata, Metadatum, encode_metadata
from grpc_bridge.protocol.status import StatusCode, StatusError

if TYPE_CHECKING:
    from grpc_bridge.plan import Plan

logger = logging.getLogger("grpc_bridge")

_ENCODINGS = {grpc.Compression.NoCompression: None, grpc.Compression.Deflate: DEFLATE, grpc.Compression.Gzip: GZIP}

_IDENTITY_KEYS = "x509_subject_alternative_name", "x509_common_name"
"""Where in an auth context grpcio looks for the identities of a caller, the better place first."""

# Guards the callbacks of all calls. It is held for a list operation only, so one for the process will do.
_callbacks_lock = threading.Lock()


class CallSource(Protocol):
    """What a context asks the transport's request for."""

    def metadata(self) -> tuple[Metadatum, ...]:
        """Gives the invocation metadata. Raises `StatusError` when it cannot be decoded."""

    def check_metadata_size(self, settings: BridgeSettings) -> None:
        """Raises `StatusError` RESOURCE_EXHAUSTED for more headers, or larger ones, than the settings allow."""

    def peer(self) -> str:
        """Gives the caller's address as grpcio writes it, such as `ipv4:127.0.0.1:50000`."""

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Gives what TLS has found out about the caller, empty where it ends before the bridge."""


class CallContext:
    """The state of one call. A call is over once: by its handler's end, or before by `terminate`.

    It is made without arguments and then told which call it is, in a third of the time that an `__init__` takes: by
    `begin`, or by the attributes that this sets. Handlers put attributes of their own on it, which must not be ours.
    """

    call_plan: Plan
    call_source: CallSource
    deadline: float | None = None

    aborted = False
    untouched = True
    """Whether nothing at all has been set, which is quicker to see than what `plain` says."""

    _active = True

    has_callbacks = False
    """Whether somebody wants to be told of the end. Then it is to be told by `finish`."""

    _early_end: StatusError | None = None
    _code: StatusCode | None = None
    _details: str | None = None
    _given_initial: Metadata = ()
    _given_trailing: Metadata | None = None
    _initial_pairs: tuple[tuple[str, str], ...] = ()
    _trailing_pairs: tuple[tuple[str, str], ...] = ()
    _initial_sent = False
    _call_id = ""
    _callbacks: list[Callable[[], Any]] | None = None
    _skips_compression = False

    response_encoding: Encoding | None = None
    """How messages of the answer are compressed."""

    on_terminate: Callable[[], Any] | None = None
    """Set by whoever runs the handler: called once, from any thread, when the call ends before its handler."""

    on_drain: Callable[[], Any] | None = None
    """Set by a transport whose thread may be waiting for the next request when the process is told to end: called from
    any thread, after the call has ended, so that the thread goes and answers."""

    on_initial_metadata: Callable[[], Any] | None = None
    """Set by the transport of a stream: called once, from any thread, when the handler has sent initial metadata, so
    that it goes out now and not with the first message."""

    def begin(self, plan: Plan, source: CallSource) -> None:
        """Says which call it is. Nothing else may be asked before."""
        self.call_plan = plan
        self.call_source = source

    # What a handler reads.

    @property
    def call_path(self) -> str:
        """The path of the call's method, such as `/echo.v1.EchoService/Echo`."""
        return self.call_plan.path

    @property
    def call_id(self) -> str:
        """A random id of this call, the same in the log and in what the caller is told."""
        if not self._call_id:
            # A call's name protects nothing, and asking the system for randomness would cost more than the log line.
            self._call_id = f"{random.getrandbits(128):032x}"
        return self._call_id

    def invocation_metadata(self) -> tuple[Metadatum, ...]:
        """Gives the caller's metadata, decoded now. Raises `StatusError` INTERNAL when it cannot be."""
        return self.call_source.metadata()

    def peer(self) -> str:
        """Gives the caller's address."""
        return self.call_source.peer()

    def peer_identities(self) -> Iterable[bytes] | None:
        """Gives what a caller's certificate says of it, None without one: most often TLS ends before the bridge."""
        key = self.peer_identity_key()
        return None if key is None else self.auth_context()[key]

    def peer_identity_key(self) -> str | None:
        """Gives under which key of `auth_context` the identities are, None where there are none."""
        return next((key for key in _IDENTITY_KEYS if key in self.auth_context()), None)

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Gives what TLS has found out about the caller, nothing where it ends before the bridge."""
        return self.call_source.auth_context()

    # What a handler sets.

    def set_code(self, code: grpc.StatusCode) -> None:
        """Sets the code of the status that the call ends with when the handler returns."""
        self.untouched = False
        self._code = self._code_of(code)

    def set_details(self, details: str) -> None:
        """Sets the message of the status that the call ends with when the handler returns.

        Raises `TypeError` for what is neither text nor, as grpcio takes too, bytes.
        """
        self.untouched = False
        self._details = _text_of(details)

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        """Sets the metadata that travels with the status. Raises `ValueError` for what may not travel."""
        self.untouched = False
        given = tuple(trailing_metadata or ())
        self._trailing_pairs = encode_metadata(given)
        self._given_trailing = given

    def add_trailing_metadata(self, key: str, value: str | bytes) -> None:
        """Adds an entry to what travels with the status. Raises `ValueError` for what may not travel."""
        self.set_trailing_metadata((*(self._given_trailing or ()), (key, value)))

    def set_compression(self, compression: grpc.Compression) -> None:
        """Compresses the messages of the answer, if the caller accepts it. To be set before the first one.

        Without effect when the response headers, which have to name the encoding, are sent.
        """
        if self._initial_sent:
            return
        self.untouched = False
        encoding = _ENCODINGS[compression]
        self.response_encoding = (
            encoding if encoding and is_accepted(encoding, self.call_plan.accept_encoding) else None
        )

    def disable_next_message_compression(self) -> None:
        """Leaves the next message of the answer as it is, for data that would not become smaller."""
        self._skips_compression = True

    def _set_initial_metadata(self, initial_metadata: Metadata) -> None:
        self.untouched = False
        self._initial_pairs = encode_metadata(initial_metadata)
        self._initial_sent = True
        if self.on_initial_metadata is not None:
            self.on_initial_metadata()

    @staticmethod
    def _code_of(code: object) -> StatusCode | None:
        """Takes grpcio's codes. Anything else is UNKNOWN, as in grpcio."""
        return GRPC_CODES[code] if isinstance(code, grpc.StatusCode) else StatusCode.UNKNOWN

    def _set_abort(self, code: grpc.StatusCode, details: str) -> None:
        self.untouched = False
        self._code = self._code_of(code)
        self._details = _text_of(details)
        if self._code is StatusCode.OK:  # an abort is no success; grpcio answers the same
            logger.error("%s: abort() called with StatusCode.OK; the call ends with UNKNOWN", self.call_path)
            self._code, self._details = StatusCode.UNKNOWN, ""
        self.aborted = True

    # What the bridge reads.

    @property
    def drops_message(self) -> bool:
        """Whether what a unary handler returns is not sent: the caller gets the status alone."""
        return False

    @property
    def has_code(self) -> bool:
        """Whether the handler has set a status other than OK."""
        return bool(self._code)

    @property
    def status_code(self) -> StatusCode:
        """The code that the handler has set, OK if none."""
        return StatusCode.OK if self._code is None else self._code

    @property
    def status_message(self) -> str:
        """The message that the handler has set, empty if none."""
        return self._details or ""

    @property
    def plain(self) -> bool:
        """Whether nothing was set: status OK, no message, no metadata. Then a prepared answer serves."""
        return not (
            self._code
            or self._details
            or self._trailing_pairs
            or self._initial_pairs
            or self._early_end
            or self.response_encoding
        )

    def next_message_encoding(self) -> Encoding | None:
        """Gives how the message that is sent now is compressed, None for as it is."""
        if self.response_encoding is None:
            return None
        skips, self._skips_compression = self._skips_compression, False
        return None if skips else self.response_encoding

    def status(self) -> tuple[StatusCode, str]:
        """Gives the code and the message that the call ends with."""
        if self._early_end is not None:
            return self._early_end.code, self._early_end.message
        return self.status_code, self.status_message

    @property
    def ended_early(self) -> bool:
        """Whether the call ended before its handler."""
        return self._early_end is not None

    @property
    def initial_pairs(self) -> tuple[tuple[str, str], ...]:
        """The initial metadata as header pairs. Asking for it means that it is sent now."""
        self._initial_sent = True
        return self._initial_pairs

    def first_message_given(self) -> None:
        """The headers go out with the first message: from here on initial metadata cannot be sent."""
        self._initial_sent = True

    @property
    def trailing_pairs(self) -> tuple[tuple[str, str], ...]:
        """The trailing metadata as header pairs, with what belongs to the status of an early end."""
        if self._early_end is None:
            return self._trailing_pairs
        return (*self._trailing_pairs, *self._early_end.trailers)

    @property
    def active(self) -> bool:
        """Whether the call has not ended."""
        return self._active

    # How a call ends.

    def fail(self, error: HandlerError) -> None:
        """Takes the status of a call whose handler raised `error`."""
        if isinstance(error, CancelledError):
            self.give_up()
            return
        if self._early_end is not None and isinstance(error, grpc.RpcError):
            return  # the end itself, as the iterator of requests raised it
        self.untouched = False
        self._code, self._details = status_of(error, self)

    def reject(self, error: StatusError) -> bool:
        """Ends the call before its handler because of what the caller sent. Gives False if it was over already."""
        with _callbacks_lock:
            if not self._active:
                return False
            self._active = False
            self.untouched = False
            # Without the frames through which it and its cause came: they know the call, and each would keep the other.
            self._early_end = error.with_traceback(None)
            error.__cause__ = error.__context__ = None
        self._run_callbacks()
        return True

    def terminate(self, code: StatusCode, message: str) -> None:
        """Ends the call from outside its handler, by deadline or disconnect, and stops the handler if that can be."""
        self.end_early(StatusError(code, message))

    def end_early(self, error: StatusError) -> bool:
        """Does what `terminate` does, with a status that is there already. Gives False if the call was over."""
        if not self.reject(error):
            return False
        if self.on_terminate is not None:
            self.on_terminate()
        return True

    def give_up(self) -> None:
        """Ends the call because its handler has cancelled itself."""
        self.reject(StatusError(StatusCode.CANCELLED, "Cancelled on the server side"))

    def expire(self) -> None:
        """Ends the call because its deadline has passed."""
        self.terminate(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def disconnect(self) -> None:
        """Ends the call because its caller has gone."""
        self.terminate(StatusCode.CANCELLED, "The caller has disconnected")

    def finish(self) -> None:
        """Ends the call because its handler has ended."""
        # Without the lock, which would cost as much as all else that is known of a plain call: whoever adds a callback
        # at this moment sees afterwards that the call is over.
        self._active = False
        if self.has_callbacks:
            self._run_callbacks()

    def at_end(self, callback: Callable[[], Any]) -> bool:
        """Has `callback` called once, from any thread, when the call ends. Gives False if it is over."""
        with _callbacks_lock:
            if not self._active:
                return False
            if self._callbacks is None:
                self._callbacks = []
            self._callbacks.append(callback)
            self.has_callbacks = True
        if not self._active:  # `finish` may not have seen it
            self._run_callbacks()
        return True

    def _run_callbacks(self) -> None:
        with _callbacks_lock:
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            try:
                callback()
            except Exception:
                logger.exception("%s: a callback failed (call %s)", self.call_path, self.call_id)


def _text_of(details: object) -> str:
    if isinstance(details, bytes):
        return details.decode("utf-8", errors="replace")
    if isinstance(details, str):
        return details
    raise TypeError(f"a status message must be text, not {type(details).__name__}")
