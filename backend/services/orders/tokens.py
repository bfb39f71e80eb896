"""Tokens that name a row to a client without telling it how: for pages, and for positions in the history.

They are opaque, not secret and not signed: whatever one is changed to, it names a place among what the caller may see.
"""

from __future__ import annotations

import base64
import re

from django.core.exceptions import ValidationError

_PLAIN = re.compile(r"([a-z]+):(0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_ID = 2**63 - 1


def encode_token(kind: str, row_id: int) -> str:
    """Gives the token of a row. `kind` is what the token is for, in lower case letters."""
    return base64.urlsafe_b64encode(f"{kind}:{row_id}".encode("ascii")).decode("ascii").rstrip("=")


def decode_token(kind: str, token: str, *, field: str) -> int:
    """Gives the id of the row that a token names. Raises ValidationError for `field` if it is no token of this kind."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        text = ""
    match = _PLAIN.fullmatch(text)
    if match is None or match[1] != kind or int(match[2]) > _MAX_ID:
        message = "This is no token that the server has given for this."
        raise ValidationError({field: ValidationError(message, code="invalid")})
    return int(match[2])
