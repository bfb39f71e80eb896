"""All URLs of the project. RPCs are not here: the bridge answers them before Django sees the request."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("pages.urls")),
]
