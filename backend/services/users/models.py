"""The user account. Set as AUTH_USER_MODEL from the first migration, because it cannot be changed later."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


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
    """Somebody who can sign in, with the e-mail address as the login."""

    email = models.EmailField("e-mail address", unique=True, error_messages={"unique": "This address has an account."})
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Whether this user may sign in. Clear it instead of deleting the account."
    )
    is_staff = models.BooleanField("staff", default=False, help_text="Whether this user may sign in to the admin.")
    created_at = models.DateTimeField("created", default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["email"]
        constraints = [
            # Holds also for rows that were written without the manager.
            models.UniqueConstraint(
                Lower("email"), name="users_email_any_case", violation_error_message="This address has an account."
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Normalizes the address, so that forms store what the manager would."""
        super().clean()
        self.email = type(self).objects.normalize_email(self.email)

    def get_full_name(self) -> str:
        """The name, or the address of somebody who gave none."""
        return self.name or self.email

    def get_short_name(self) -> str:
        """The first word of the name, or the address of somebody who gave none."""
        return self.name.split(" ")[0] or self.email
