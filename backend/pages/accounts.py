"""Signing in, out and up. RPCs know the same session; who may do what stands beside the RPCs and in the admin."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from pages import demo
from services.users.forms import THROTTLED, SignInForm, SignUpForm

_DEMO_ACCOUNTS = {"customer": demo.CUSTOMER, "staff": demo.STAFF}


class SignInView(LoginView):
    """Django's own view. Somebody who tries too often gets HTTP 429 and the time to wait, in seconds."""

    template_name = "pages/account/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """What the page shows besides the form."""
        return super().get_context_data(**context) | {"has_demo": settings.DEMO_DATA}

    def form_invalid(self, form: Any) -> HttpResponse:
        """Shows the form again with what is wrong."""
        response = super().form_invalid(form)
        if form.has_error(NON_FIELD_ERRORS, THROTTLED):
            response.status_code = 429
            response.headers["Retry-After"] = str(form.retry_after_seconds)
        return response


@method_decorator([sensitive_post_parameters(), never_cache], name="dispatch")
class SignUpView(RedirectURLMixin, FormView):  # type: ignore[type-arg]
    """Makes an account of a customer and signs them in."""

    template_name = "pages/account/sign_up.html"
    form_class = SignUpForm
    next_page = "pages:index"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Sends on who has an account and is signed in."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        """What the page shows besides the form."""
        return super().get_context_data(**context) | {"next": self.get_redirect_url()}

    def form_valid(self, form: SignUpForm) -> HttpResponse:
        """Saves the customer."""
        try:
            user = form.save()
        except ValidationError as error:
            form.add_error(None, error)
            return self.form_invalid(form)
        login(self.request, user)
        return HttpResponseRedirect(self.get_success_url())


@method_decorator(never_cache, name="dispatch")
class DemoSignInView(RedirectURLMixin, View):
    """Signs in as a demo user without a password. There is no such page where DEMO_DATA is off."""

    http_method_names = ["post"]
    next_page = "pages:index"

    def post(self, request: HttpRequest) -> HttpResponse:
        """Signs in as the `account` that is asked for: "customer", which is the default, or "staff"."""
        account = _DEMO_ACCOUNTS.get(request.POST.get("account", "customer"))
        if not settings.DEMO_DATA or account is None:
            raise Http404
        user, _ = demo.ensure_user(account)
        if not user.is_active:
            messages.error(request, f"{user.email} is suspended.")
            return redirect("pages:sign-in")
        login(request, user)
        return HttpResponseRedirect(self.get_success_url())
