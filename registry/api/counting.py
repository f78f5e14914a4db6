"""Which answers count as downloads. How they are counted is `registry.serving.downloads`."""

import re

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from registry.accounts.models import ApiToken
from registry.catalog.models import VectorVersion
from registry.serving.downloads import download_count

# What build services and crawlers call themselves. Our client says it with a header, from the variable CI.
_AUTOMATIC = re.compile(
    r"github-actions|gitlab|circleci|travis|jenkins|buildkite|teamcity|azure[- ]?pipelines|bitbucket|drone"
    r"|bot\b|crawler|spider|slurp",
    re.IGNORECASE,
)


def counted(
    request: Request, response: HttpResponse, version: VectorVersion, *, methods: tuple[str, ...] = ("GET",)
) -> HttpResponse:
    """The answer itself, counted as a download of the version if it grants a file from its beginning.

    A 304 and the later parts of a file that is fetched in parts are none; nor is a HEAD, but where it is all
    that is asked here.
    """
    begins = re.fullmatch(r"(bytes=0-\d*)?", request.headers.get("Range", "").replace(" ", ""))
    if request.method in methods and response.status_code in (200, 206, 302) and begins:
        token = request.auth
        address = BaseThrottle().get_ident(request)
        download_count(
            version_id=version.pk,
            caller=f"token:{token.pk}" if isinstance(token, ApiToken) else f"address:{address}",
            is_automatic=is_automatic(request),
        )
    return response


def is_automatic(request: Request) -> bool:
    """Whether a build or a crawler asks, by what it says of itself."""
    said = request.headers.get("X-Bearing-CI", "")
    return said not in ("", "0", "false") or bool(_AUTOMATIC.search(request.headers.get("User-Agent", "")))
