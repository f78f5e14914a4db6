"""`/docs/api`: where to start with the REST API."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def docs_api(request: HttpRequest) -> HttpResponse:
    """A plain page with the first requests and a link to the OpenAPI document."""
    return render(request, "docs/api.html", {"public_url": settings.PUBLIC_URL})
