"""URLs of the site's pages. Health is not here: middleware answers for it before any of this."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from pages import accounts, views

app_name = "pages"
urlpatterns = [
    path("", views.index, name="index"),
    path("sign-in/", accounts.SignInView.as_view(), name="sign-in"),
    path("sign-in/demo/", accounts.DemoSignInView.as_view(), name="demo-sign-in"),
    path("sign-up/", accounts.SignUpView.as_view(), name="sign-up"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
