"""The rules of accounts: who may see and change what, how accounts are found, and what tokens are good for.

Knows no protobuf and no HTTP. What a column may hold stands at the models' fields, and is checked here, in the admin
and in forms by the same `full_clean`. The contract could declare such rules too (protovalidate), but its Python library
brings an interpreter of the CEL language along, and forms would need a second copy of the rules.

what is wrong                                  what is raised
-------------                                  --------------
a value                                        ValidationError, by field
the right to do this                           PermissionDenied
no such account or token                       User.DoesNotExist, Token.DoesNotExist
an e-mail address that has an account          EmailTakenError
a change that would lock people out            OwnAccountError, AccountInUseError
too many tokens                                TooManyTokensError
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from services.users.models import EMAIL_TAKEN, Token, User, no_null_character

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_FILTER_CHARACTERS = 200

SECRET_BYTES = 32
DEFAULT_TOKEN_LIFETIME = timedelta(days=30)
MAX_TOKEN_DAYS = 365
MAX_TOKENS = 100

_PAGE_SALT = "services.users.list_users"

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "email": ("email",),
    "name": ("name",),
    "age": ("age",),
    "roles": ("is_customer", "is_staff"),
    "status": ("is_active",),
    "metadata": ("metadata",),
}
FIELDS = frozenset(_COLUMNS)
"""What can be given for a new account, and changed of one."""

OWN_FIELDS = frozenset(("name", "age", "metadata"))
"""What everybody may change of their own account."""


class EmailTakenError(Exception):
    """The address has an account. The text is for the caller."""


class OwnAccountError(Exception):
    """Nobody takes the keys from themselves: somebody else has to. The text is for the caller."""


class AccountInUseError(Exception):
    """Something refers to the account, so that it cannot go. The text is for the caller."""


class TooManyTokensError(Exception):
    """The user has as many tokens as there can be. The text is for the caller."""


@dataclass(frozen=True)
class UserPage:
    """Some of the accounts that a list found. `next_page_token` is empty on the last page."""

    users: Sequence[User]
    next_page_token: str
    total_size: int


# Accounts.


def get_user(caller: User, user_id: int) -> User:
    """Gives an account: the caller's own, or any for staff. Others are not even told whether there is one."""
    if user_id == caller.pk:
        return caller
    if not caller.is_staff:
        raise PermissionDenied
    return User.objects.get(pk=user_id)


def list_users(page_size: int = 0, page_token: str = "", text: str = "") -> UserPage:
    """Gives a page of the accounts whose address or name contains `text`, ordered by address.

    A page begins behind an address and not at a number, so it costs the same however deep in the list it is, and nobody
    is shown twice or left out because others came or went meanwhile. SQLite ignores the case of ASCII letters only.
    """
    if page_size < 0:
        raise ValidationError({"page_size": ValidationError("A page size cannot be negative.", code="min_value")})
    _check_filter(text)
    after = _read_page_token(page_token, text)
    found = User.objects.filter(models.Q(email__icontains=text) | models.Q(name__icontains=text))
    size = min(page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    users = list(found.filter(email__gt=after).order_by("email")[: size + 1])
    has_more = len(users) > size
    users = users[:size]
    next_page_token = signing.dumps((users[-1].email, text), salt=_PAGE_SALT) if has_more else ""
    return UserPage(users, next_page_token, found.count())


def _check_filter(text: str) -> None:
    try:
        no_null_character(text)
    except ValidationError as error:
        raise ValidationError({"filter": error}) from None
    if len(text) > MAX_FILTER_CHARACTERS:
        message = f"A filter has at most {MAX_FILTER_CHARACTERS} characters."
        raise ValidationError({"filter": ValidationError(message, code="max_length")})


def _read_page_token(page_token: str, text: str) -> str:
    """Gives the address behind which a page begins. Raises `ValidationError` for a token of another list or none."""
    if not page_token:
        return ""
    try:
        after, text_before = signing.loads(page_token, salt=_PAGE_SALT)
    except signing.BadSignature:
        after, text_before = "", None
    if text_before != text:
        message = "This is no page token of this list."
        raise ValidationError({"page_token": ValidationError(message, code="invalid")})
    return str(after)


def create_user(values: Mapping[str, Any]) -> User:
    """Saves an account that nobody can sign in to before it is given a password. `values` are some of `FIELDS`."""
    user = User()
    user.set_unusable_password()
    _assign(user, values)
    _clean(user, exclude=())
    _save(user)
    return user


def update_user(caller: User, user_id: int, values: Mapping[str, Any]) -> User:
    """Changes some of `FIELDS` of an account and gives it as it is now. Metadata is replaced as a whole."""
    if not caller.is_staff and (user_id != caller.pk or not OWN_FIELDS.issuperset(values)):
        raise PermissionDenied
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        _check_rank(caller, user)
        _assign(user, values)
        if user.pk == caller.pk and (not user.is_active or (caller.is_staff and not user.is_staff)):
            raise OwnAccountError(
                "Nobody can suspend themselves or give up being staff: ask somebody else of the staff."
            )
        columns = [column for field in values for column in _COLUMNS[field]]
        _clean(user, exclude={field.name for field in User._meta.fields}.difference(columns))
        _save(user, columns)
    return user


def delete_user(caller: User, user_id: int) -> None:
    """Removes an account, with its tokens."""
    if user_id == caller.pk:
        raise OwnAccountError("Nobody can delete their own account: ask somebody else of the staff.")
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        _check_rank(caller, user)
        try:
            user.delete()
        except models.ProtectedError:
            raise AccountInUseError("The account has orders: suspend it instead.") from None


def _check_rank(caller: User, user: User) -> None:
    # Or staff could take over an administrator's account by its address.
    if user.is_superuser and not caller.is_superuser:
        raise PermissionDenied


def _assign(user: User, values: Mapping[str, Any]) -> None:
    for field, value in values.items():
        if field not in FIELDS:
            raise ValueError(f"an account has no field {field!r} that could be set")
        setattr(user, field, value)


def _clean(user: User, exclude: Collection[str]) -> None:
    try:
        user.full_clean(exclude={"password", *exclude})
    except ValidationError as error:
        if any(problem.code == "unique" for problem in error.error_dict.get("email", ())):
            raise EmailTakenError(EMAIL_TAKEN) from None
        raise


def _save(user: User, columns: Sequence[str] | None = None) -> None:
    try:
        with transaction.atomic():
            user.save(update_fields=columns)
    except IntegrityError:  # somebody else was faster, after the check
        raise EmailTakenError(EMAIL_TAKEN) from None


# Tokens.


def create_token(user: User, name: str, lifetime_days: int = 0) -> tuple[Token, str]:
    """Gives a new token and its secret, which is kept nowhere. Tokens that have expired are cleared away."""
    if lifetime_days and not 1 <= lifetime_days <= MAX_TOKEN_DAYS:
        message = f"A token is good for 1 to {MAX_TOKEN_DAYS} days."
        raise ValidationError({"lifetime_days": ValidationError(message, code="out_of_range")})
    now = timezone.now()
    lifetime = timedelta(days=lifetime_days) if lifetime_days else DEFAULT_TOKEN_LIFETIME
    token = Token(user=user, name=name, created_at=now, expires_at=now + lifetime)
    secret = give_secret(token)
    token.full_clean(validate_unique=False)
    with transaction.atomic():
        user.tokens.filter(expires_at__lte=now).delete()
        if user.tokens.count() >= MAX_TOKENS:
            raise TooManyTokensError(f"There are {MAX_TOKENS} tokens already: revoke one.")
        token.save(force_insert=True)
    return token, secret


def give_secret(token: Token) -> str:
    """Makes the secret of a token that is not saved yet, and gives it."""
    # Of letters and digits only: one that begins with a dash would be taken for an option on a command line.
    secret = secrets.token_hex(SECRET_BYTES)
    token.prefix = secret[: Token.PREFIX_CHARACTERS]
    token.digest = _digest(secret)
    return secret


def list_tokens(user: User) -> Sequence[Token]:
    """Gives the user's tokens that are good, the newest first."""
    return list(user.tokens.filter(expires_at__gt=timezone.now()))


def revoke_token(user: User, token_id: int) -> None:
    """Ends a token of the user at once. Raises `Token.DoesNotExist` for any other."""
    deleted, _ = user.tokens.filter(pk=token_id).delete()
    if not deleted:
        raise Token.DoesNotExist


def user_of_token(secret: str) -> User | None:
    """Gives the user for whom a secret stands, None if it is unknown, revoked, expired or of a suspended user."""
    now = timezone.now()
    good = Token.objects.select_related("user").filter(expires_at__gt=now, user__is_active=True)
    token = good.filter(digest=_digest(secret)).first()
    if token is None:
        return None
    minute = now.replace(second=0, microsecond=0)
    if token.last_used_at != minute:
        Token.objects.filter(pk=token.pk).update(last_used_at=minute)
    return token.user


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
