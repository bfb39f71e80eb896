"""URLs of the site's pages. The health check is not here: middleware answers it before any of this."""

from django.urls import path

from pages import views

app_name = "pages"
urlpatterns = [
    path("", views.index, name="index"),
]
