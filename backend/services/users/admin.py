"""Accounts and tokens in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from services.users import logic
from services.users.forms import AdminSignInForm
from services.users.models import Token, User

admin.site.login_form = AdminSignInForm


class ExpiryFilter(admin.SimpleListFilter):
    """Tokens by whether they are still good for something."""

    title = "validity"
    parameter_name = "validity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What can be chosen."""
        return [("good", "Good"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Token]) -> QuerySet[Token]:
        """The tokens of what was chosen."""
        is_expired = Q(expires_at__lte=timezone.now())
        chosen = {"good": ~is_expired, "expired": is_expired, None: Q()}
        return queryset.filter(chosen.get(self.value(), Q()))


class TokenInline(admin.TabularInline):
    """The tokens of a user, to be looked at and revoked."""

    model = Token
    extra = 0
    fields = readonly_fields = ("name", "prefix", "created_at", "expires_at", "last_used_at")
    verbose_name_plural = "tokens (delete one to revoke it)"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No: the secret of a new token is shown once, which this table cannot do."""
        return False


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """Django's own user admin, with its password forms, for an account that has no user name."""

    list_display = (
        "email", "name", "age", "is_active", "is_customer", "is_staff", "good_tokens", "created_at", "last_login",
    )  # fmt: skip
    list_filter = ("is_active", "is_customer", "is_staff", "is_superuser", "groups", "created_at")
    search_fields = ("email", "name")
    ordering = ("email",)
    date_hierarchy = "created_at"
    list_per_page = 50
    readonly_fields = ("created_at", "last_login")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("name", "age", "metadata")}),
        (
            "Rights",
            {"fields": ("is_active", "is_customer", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates", {"fields": ("created_at", "last_login")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "name", "is_customer", "usable_password", "password1", "password2"),
            },
        ),
    )
    inlines = (TokenInline,)
    actions = ("suspend", "reactivate", "revoke_tokens")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """The users with the number of their tokens, in one query."""
        users: QuerySet[User] = super().get_queryset(request)
        return users.annotate(good_token_count=Count("tokens", filter=Q(tokens__expires_at__gt=timezone.now())))

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """No tokens for a user who is only being added."""
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only administrators give rights beyond a role."""
        rights = () if request.user.is_superuser else ("is_superuser", "groups", "user_permissions")
        return (*self.readonly_fields, *rights)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only administrators change administrators, or whoever may change users could make themselves one."""
        return super().has_change_permission(request, obj) and self._outranks(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """The same for deleting."""
        return super().has_delete_permission(request, obj) and self._outranks(request, obj)

    @admin.display(description="tokens", ordering="good_token_count")
    def good_tokens(self, user: User) -> int:
        """How many tokens the user has that are good."""
        count: int = user.good_token_count  # type: ignore[attr-defined]
        return count

    @admin.action(description="Suspend selected users", permissions=["change"])
    def suspend(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Keeps users from signing in, and ends what they are doing. Not whoever asks for it."""
        others = self._below(request, users).exclude(email=request.user.get_username())
        self._report(request, "suspended", others.filter(is_active=True).update(is_active=False), "user")

    @admin.action(description="Reactivate selected users", permissions=["change"])
    def reactivate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Lets suspended users sign in again."""
        inactive = self._below(request, users).filter(is_active=False)
        self._report(request, "reactivated", inactive.update(is_active=True), "user")

    @admin.action(description="Revoke all tokens of selected users", permissions=["change"])
    def revoke_tokens(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Ends all tokens of users at once."""
        deleted, _ = Token.objects.filter(user__in=self._below(request, users).values("pk")).delete()
        self._report(request, "revoked", deleted, "token")

    def _outranks(self, request: HttpRequest, user: User | None) -> bool:
        return user is None or request.user.is_superuser or not user.is_superuser

    def _below(self, request: HttpRequest, users: QuerySet[User]) -> QuerySet[User]:
        """Gives those of the users whom the caller outranks."""
        chosen = User.objects.filter(pk__in=users.values("pk"))
        return chosen if request.user.is_superuser else chosen.filter(is_superuser=False)

    def _report(self, request: HttpRequest, done: str, count: int, kind: str) -> None:
        self.message_user(request, f"{count} {kind}{'' if count == 1 else 's'} {done}.", messages.SUCCESS)


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """Tokens of everybody. The secret of a new one is shown once, when it is saved; to delete one is to revoke it."""

    list_display = ("name", "prefix", "user", "created_at", "expires_at", "last_used_at")
    list_filter = (ExpiryFilter, "created_at", "expires_at", "last_used_at")
    search_fields = ("name", "prefix", "user__email", "user__name")
    list_select_related = ("user",)
    autocomplete_fields = ("user",)
    date_hierarchy = "created_at"
    list_per_page = 50
    readonly_fields = ("prefix", "created_at", "last_used_at")
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only administrators: who makes a token of somebody can act as they do. Own ones can be made by RPC."""
        return super().has_add_permission(request) and request.user.is_superuser

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """What is not known before a token is made is not asked for."""
        return ("user", "name", "expires_at", *self.readonly_fields) if obj else ("user", "name", "expires_at")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new token is good for as long as one that is made by RPC."""
        expires_at = timezone.now() + logic.DEFAULT_TOKEN_LIFETIME
        return {"user": request.user.pk, "expires_at": expires_at} | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """A token stays its user's."""
        return ("user", *self.readonly_fields) if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Gives a new token its secret, and shows that."""
        if not change:
            secret = logic.give_secret(obj)
            self.message_user(
                request, f"The secret of this token, which cannot be shown again: {secret}", messages.WARNING
            )
        super().save_model(request, obj, form, change)

    def get_actions(self, request: HttpRequest) -> Any:
        """Revoking is deleting, so there is one action for it and not two."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    @admin.action(description="Revoke selected tokens", permissions=["delete"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """Ends tokens at once."""
        deleted, _ = tokens.delete()
        self.message_user(request, f"{deleted} token{'' if deleted == 1 else 's'} revoked.", messages.SUCCESS)
