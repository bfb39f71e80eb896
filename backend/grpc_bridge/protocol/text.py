"""Text mode: the body is base64, in segments. Rules: grpc/grpc doc/PROTOCOL-WEB.md, "Text-encoded (response) streams".

A segment is what one side flushed at a time; each is padded on its own, so padding may stand anywhere in a body, and
HTTP may cut the body anywhere. A padded segment is a whole number of four-character groups, so groups stay aligned.
"""

from __future__ import annotations

import binascii
from base64 import b64encode

from grpc_bridge.protocol.status import StatusCode, StatusError

GROUP = 4

encode_text = b64encode
"""Gives one padded segment."""


class TextDecoder:
    """Decodes a text body in chunks of any size. Holds at most three characters between chunks."""

    error: StatusError | None = None
    """What is wrong with the text. Nothing is given any more that comes after it."""

    def __init__(self) -> None:
        self._rest = b""

    def receive_data(self, data: bytes) -> bytes:
        """Gives the bytes of all whole groups so far, up to the first that is not base64: then `error` is set."""
        if self.error is not None:
            return b""
        if b"\n" in data or b"\r" in data:
            data = data.replace(b"\r", b"").replace(b"\n", b"")
        data = self._rest + data if self._rest else data
        whole = len(data) - len(data) % GROUP
        self._rest = data[whole:]
        try:
            return decode_groups(data[:whole])
        except StatusError as error:
            self.error = error
            return _groups_before_error(data[:whole])

    def wanted_characters(self, wanted_bytes: int) -> int:
        """Gives how many characters are missing at least until that many more bytes are decoded."""
        return -(-wanted_bytes // 3) * GROUP - len(self._rest)

    def error_at_end(self) -> StatusError | None:
        """Gives what is wrong with a body that ends here: it was not base64, or it ends inside a group."""
        if self.error is None and self._rest:
            return StatusError(StatusCode.INTERNAL, "Request body ends inside a base64 group")
        return self.error

    def end(self) -> None:
        """The body has ended. Raises `StatusError` INTERNAL for one that may not end here."""
        if (error := self.error_at_end()) is not None:
            raise error


def decode_groups(data: bytes) -> bytes:
    """Decodes whole groups, padded ones anywhere among them. Raises `StatusError` INTERNAL for what is not base64."""
    decoded: list[bytes] = []
    start = 0
    try:
        while (padding := data.find(b"=", start)) != -1:
            if padding % GROUP < 2:  # after whole groups, binascii of Python 3.11 takes a group of nothing but padding
                raise binascii.Error
            end = (padding // GROUP + 1) * GROUP
            decoded.append(binascii.a2b_base64(data[start:end], strict_mode=True))
            start = end
        if start == 0:
            return binascii.a2b_base64(data, strict_mode=True)
        decoded.append(binascii.a2b_base64(data[start:], strict_mode=True))
    except binascii.Error:
        raise StatusError(StatusCode.INTERNAL, "Request body is not base64") from None
    return b"".join(decoded)


def _groups_before_error(data: bytes) -> bytes:
    """Decodes the groups before the first bad one, looked for by halves: a caller may send much for nothing."""
    good, bad = 0, len(data) // GROUP
    decoded: list[bytes] = []
    while bad - good > 0:
        middle = (good + bad + 1) // 2
        try:
            decoded.append(decode_groups(data[good * GROUP : middle * GROUP]))
            good = middle
        except StatusError:
            bad = middle - 1
    return b"".join(decoded)
