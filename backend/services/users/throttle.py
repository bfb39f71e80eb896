"""How often somebody may try to sign in: a few times in a while with one address from one place. Knows no HTTP.

Attempts are counted in the database, so that all workers count together, and before the password is looked at, so that
attempts made at the same moment count as well. A place alone is not counted: many people share one. An address alone is
not either, or everybody could lock out everybody else.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from services.users.models import SignInAttempts, User

MAX_ATTEMPTS = 5
PERIOD = timedelta(minutes=15)


class TooManyAttemptsError(Exception):
    """No attempt is allowed before `retry_at`."""

    def __init__(self, retry_at: datetime) -> None:
        super().__init__(f"no attempt is allowed before {retry_at}")
        self.retry_at = retry_at


def count_attempt(email: str, place: str) -> None:
    """Counts an attempt to sign in. Raises `TooManyAttemptsError` if there were too many since the first.

    An attempt that is refused is not counted: whoever waits as long as they are told gets in.
    """
    now = timezone.now()
    with transaction.atomic():
        SignInAttempts.objects.filter(ends_at__lte=now).delete()
        attempts, _ = SignInAttempts.objects.select_for_update().get_or_create(
            key=_key(email, place), defaults={"ends_at": now + PERIOD}
        )
        if attempts.count >= MAX_ATTEMPTS:
            raise TooManyAttemptsError(attempts.ends_at)
        attempts.count += 1
        attempts.save(update_fields=["count"])


def forget_attempts(email: str, place: str) -> None:
    """Begins to count anew: somebody has signed in."""
    SignInAttempts.objects.filter(key=_key(email, place)).delete()


def _key(email: str, place: str) -> str:
    # A digest has one length whatever somebody types, and addresses of strangers are not ours to keep.
    return hashlib.sha256(f"{place} {User.objects.normalize_email(email)}".encode(errors="surrogatepass")).hexdigest()
