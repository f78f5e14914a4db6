"""How an operation says that it will go: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and links.

class OldSearch(Endpoint):
    deprecation = Deprecation(since=datetime(2027, 1, 1, tzinfo=UTC), instead="/api/v2/vectors")
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import http_date


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when an operation is deprecated, from when it may be gone, and what to use instead (a path)."""

    since: datetime
    sunset: datetime | None = None
    instead: str = ""

    def mark(self, response: HttpResponse) -> None:
        """Put it into an answer's headers."""
        response["Deprecation"] = f"@{int(self.since.timestamp())}"
        if self.sunset:
            response["Sunset"] = http_date(self.sunset.timestamp())
        links = [response["Link"]] if response.has_header("Link") else []
        links.append(f'<{settings.PUBLIC_URL}/docs/api>; rel="deprecation"; type="text/html"')
        if self.instead:
            links.append(f'<{settings.PUBLIC_URL}{self.instead}>; rel="successor-version"')
        response["Link"] = ", ".join(links)
