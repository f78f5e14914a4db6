"""The URL map: /api/v1 and what clients of the Hugging Face Hub ask to `api`, everything else to `web`."""

from django.contrib import admin
from django.urls import include, path, re_path

from registry.api.endpoint import UnknownPath
from registry.web.views.crawlers import robots, site_map, site_map_part
from registry.web.views.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("robots.txt", robots),
    path("sitemap.xml", site_map),
    path("sitemap-<section>.xml", site_map_part, name="sitemap"),
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
