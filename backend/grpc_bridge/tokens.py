"""Callers outside a browser: a token in one metadata entry, `authorization: Bearer <secret>` (RFC 6750, section 2.1).

Which tokens there are is the project's business: `GRPC_BRIDGE["TOKEN_USER"]` names the function that knows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grpc_bridge.conf import named_function
from grpc_bridge.protocol.status import StatusCode, StatusError

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


def bearer_secret(context: Any) -> str | None:
    """Gives the secret that a call was sent with, None if there is none, or if the project knows no tokens.

    Raises `StatusError` UNAUTHENTICATED for two of them. Other schemes are somebody else's: a browser sends the
    password of a proxy in front of the site with every request.
    """
    secrets: list[str] = []
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            scheme, _, secret = value.partition(" ")
            if scheme.lower() == "bearer":
                secrets.append(secret.strip())
    if not secrets or named_function("TOKEN_USER") is None:
        return None
    if len(secrets) > 1:
        raise StatusError(StatusCode.UNAUTHENTICATED, "There may be one token only")
    return secrets[0]


def user_of_token(secret: str) -> AbstractBaseUser:
    """Gives the user for whom a token stands. Raises `StatusError` UNAUTHENTICATED for one that is no good.

    A session that came along does not help then: who sends a token means to be its user.
    """
    find_user = named_function("TOKEN_USER")
    user: AbstractBaseUser | None = find_user(secret) if find_user else None
    if user is None:
        raise StatusError(StatusCode.UNAUTHENTICATED, "The token is unknown, revoked or expired")
    return user
