"""The URL map: /api/v1 and what clients of the Hugging Face Hub ask to `api`, everything else to `web`."""

from django.contrib import admin
from django.urls import include, path, re_path

from registry.api.endpoint import UnknownPath
from registry.web.views.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/second-factor/", include("allauth.mfa.urls")),
    path("accounts/sessions/", include("allauth.usersessions.urls")),
    path("api/v1/", include("registry.api.v1.urls")),
    # Some of its paths look like pages of vectors, so it comes before them.
    path("", include("registry.api.hub.urls")),
    re_path(r"^api(?:/.*)?$", UnknownPath.as_view()),
    path("", include("registry.web.urls")),
]
