"""The forms by which people sign in and sign up. What an account may hold stands at the model."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from services.users import throttle
from services.users.models import EMAIL_TAKEN, User

THROTTLED = "throttled"
"""The code of the error that tells people to wait."""

IPV6_PREFIX_BITS = 64
"""How much of an address a provider gives to one customer, who can use all that begins with it."""


class SignInForm(AuthenticationForm):
    """Takes the e-mail address and the password. Too many attempts are told when to try again."""

    username = forms.EmailField(
        label="E-mail address", widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})
    )

    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "There is no active account with this address and this password.",
    }
    retry_after_seconds = 0

    def clean(self) -> dict[str, Any]:
        """Signs in, or raises `ValidationError`; that has the code `THROTTLED` where no password was looked at."""
        email = self.cleaned_data.get("username")
        if email is None or not self.cleaned_data.get("password"):
            return self.cleaned_data
        place = place_of(self.request)
        try:
            throttle.count_attempt(email, place)
        except throttle.TooManyAttemptsError as error:
            self.retry_after_seconds = math.ceil((error.retry_at - timezone.now()).total_seconds())
            raise ValidationError(_wait(self.retry_after_seconds), code=THROTTLED) from None
        cleaned = super().clean()
        throttle.forget_attempts(email, place)
        return cleaned


class AdminSignInForm(SignInForm, AdminAuthenticationForm):
    """The same for the admin, which lets in staff only."""

    error_messages = AdminAuthenticationForm.error_messages


class SignUpForm(BaseUserCreationForm):
    """Takes what a new customer tells of themselves, and a password twice."""

    class Meta:
        model = User
        fields = ("email", "name")
        widgets = {"email": forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"})}

    def save(self, commit: bool = True) -> User:
        """Saves the customer. Raises `ValidationError` if somebody else took the address a moment ago."""
        self.instance.is_customer = True
        try:
            with transaction.atomic():
                user: User = super().save(commit)
        except IntegrityError:
            raise ValidationError({"email": EMAIL_TAKEN}) from None
        return user


def place_of(request: HttpRequest | None) -> str:
    """Gives the place that a request comes from: an address, or a network where one customer has all of it.

    Behind proxies it is what the outermost of them has seen; `settings.TRUSTED_PROXY_COUNT` says how many there are.
    Only what these have written counts: anybody can send a header.
    """
    if request is None:
        return ""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    seen: list[str] = [part.strip() for part in forwarded.split(",")]
    seen.append(request.META.get("REMOTE_ADDR") or "")
    place = seen[max(0, len(seen) - 1 - settings.TRUSTED_PROXY_COUNT)]
    try:
        address = ipaddress.ip_address(place)
    except ValueError:  # a server on a Unix socket has none to tell
        return place
    if address.version == 4:
        return place
    return str(ipaddress.ip_network((address, IPV6_PREFIX_BITS), strict=False))


def _wait(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
