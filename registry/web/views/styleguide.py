"""`/styleguide`: the design system, for those who write pages; it exists in development alone."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.web import styleguide


@require_safe
def styleguide_page(request: HttpRequest) -> HttpResponse:
    """Tokens and components with their states.

    Raises:
        Http404: the settings hide it, as in production.
    """
    if not settings.SHOW_STYLEGUIDE:
        raise Http404
    return render(
        request,
        "styleguide.html",
        {
            "components": list(styleguide.components(request)),
            "colours": styleguide.COLOURS,
            "spaces": styleguide.SPACES,
        },
    )
