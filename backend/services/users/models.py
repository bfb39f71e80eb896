"""Accounts, the tokens that stand in for them, and the count of attempts to sign in: what is stored, and what a column
may hold. What somebody may do with them is in `logic`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, ProhibitNullCharactersValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

MAX_AGE_YEARS = 150
MAX_METADATA_ENTRIES = 16
MAX_METADATA_KEY_CHARACTERS = 40
MAX_METADATA_VALUE_CHARACTERS = 200

EMAIL_TAKEN = "This address has an account."

SHA256_HEX_CHARACTERS = 64

# PostgreSQL cannot store it, and SQLite can, so the difference would be found in production.
no_null_character = ProhibitNullCharactersValidator()


class Role(models.TextChoices):
    """Something that an account may do beyond its own affairs."""

    CUSTOMER = "customer", "Customer"
    STAFF = "staff", "Staff"


class Status(models.TextChoices):
    """Whether an account can be used."""

    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"


def validate_metadata(value: Any) -> None:
    """Accepts a map of text to text within the limits above. Raises `ValidationError`."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in (*value, *value.values())):
        raise ValidationError("Metadata is a map of text to text.", code="invalid")
    if len(value) > MAX_METADATA_ENTRIES:
        raise ValidationError(f"Metadata has at most {MAX_METADATA_ENTRIES} entries.", code="max_entries")
    for key, text in value.items():
        no_null_character(key + text)
        if not 0 < len(key) <= MAX_METADATA_KEY_CHARACTERS:
            raise ValidationError(
                f"A key of metadata has 1 to {MAX_METADATA_KEY_CHARACTERS} characters.", code="key_length"
            )
        if len(text) > MAX_METADATA_VALUE_CHARACTERS:
            raise ValidationError(
                f"A value of metadata has at most {MAX_METADATA_VALUE_CHARACTERS} characters.", code="value_length"
            )


class UserManager(BaseUserManager["User"]):
    """Creates users and finds them by e-mail address, whatever its case."""

    use_in_migrations = True

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Lower case throughout. Providers ignore case, and two accounts that differ in it are a trap."""
        return super().normalize_email(email).lower()

    def get_by_natural_key(self, username: str | None) -> User:
        """The user whose address this is. Raises User.DoesNotExist."""
        return self.get(email=self.normalize_email(username))

    async def aget_by_natural_key(self, username: str | None) -> User:
        """The same for async callers."""
        return await self.aget(email=self.normalize_email(username))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Saves a new user. Without a password nobody can sign in by one. Raises ValueError for an empty address."""
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Saves a new user who may do everything, the admin included."""
        return self.create_user(email, password, **fields, is_staff=True, is_superuser=True)


class User(AbstractBaseUser, PermissionsMixin):
    """Somebody who can sign in, with the e-mail address as the login.

    Roles and status are what the world is told. Behind them each has a column of its own, to be filtered by.
    """

    email = models.EmailField("e-mail address", unique=True, error_messages={"unique": EMAIL_TAKEN})
    name = models.CharField(max_length=200, blank=True, validators=[no_null_character])
    age = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(MAX_AGE_YEARS)], help_text="In years, if it was told."
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Whether this user may sign in. Clear it instead of deleting the account."
    )
    is_customer = models.BooleanField("customer", default=False, help_text="Whether this user may place orders.")
    is_staff = models.BooleanField(
        "staff", default=False, help_text="Whether this user may sign in to the admin, and see and change all accounts."
    )
    metadata = models.JSONField(
        default=dict, blank=True, validators=[validate_metadata], help_text="What other systems keep beside an account."
    )
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["email"]
        constraints = [
            # Holds also for rows that were written without the manager. With it, unique is unique whatever the case.
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="users_email_lower_case"),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Normalizes the address, so that forms store what the manager would, and metadata that was left empty."""
        super().clean()
        self.email = type(self).objects.normalize_email(self.email)
        self.metadata = self.metadata or {}

    @property
    def roles(self) -> list[Role]:
        """What the account may do, in the order of `Role`."""
        held = {Role.CUSTOMER: self.is_customer, Role.STAFF: self.is_staff}
        return [role for role in Role if held[role]]

    @roles.setter
    def roles(self, roles: Iterable[Role]) -> None:
        given = set(roles)
        self.is_customer = Role.CUSTOMER in given
        self.is_staff = Role.STAFF in given

    @property
    def status(self) -> Status:
        """Whether the account can be used."""
        return Status.ACTIVE if self.is_active else Status.SUSPENDED

    @status.setter
    def status(self, status: Status) -> None:
        self.is_active = status == Status.ACTIVE

    def get_full_name(self) -> str:
        """The name, or the address of somebody who gave none."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """The first word of the name, or the address of somebody who gave none."""
        return self.name.split(" ")[0] or self.email


class Token(models.Model):
    """Stands in for a user outside a browser. A row is a token that was not revoked.

    The secret is 256 random bits, so one round of SHA-256 keeps it as safe as a slow hash keeps a password: there is
    nothing to guess. Each call can then find its token by the index.
    """

    PREFIX_CHARACTERS = 8

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100, validators=[no_null_character], help_text="What the token is for.")
    prefix = models.CharField(
        max_length=PREFIX_CHARACTERS, editable=False, help_text="How the secret begins, to tell tokens apart."
    )
    digest = models.CharField("SHA-256 of the secret", max_length=SHA256_HEX_CHARACTERS, unique=True, editable=False)
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)
    expires_at = models.DateTimeField("expires")
    last_used_at = models.DateTimeField(
        "last used", null=True, blank=True, editable=False, help_text="To the minute, so that few calls have to write."
    )

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["user", "-created_at", "-id"], name="users_token_of_user")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class SignInAttempts(models.Model):
    """How often somebody tried to sign in, from one place and with one address, since the count began."""

    key = models.CharField("SHA-256 of place and address", max_length=SHA256_HEX_CHARACTERS, unique=True)
    count = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField("begins anew", db_index=True)

    class Meta:
        verbose_name_plural = "sign-in attempts"

    def __str__(self) -> str:
        return f"{self.count} attempts until {self.ends_at:%Y-%m-%d %H:%M:%S}"
