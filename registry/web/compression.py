"""Pages are sent compressed, also where no nginx stands in front."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class PageCompressionMiddleware(GZipMiddleware):
    """Compresses HTML alone. Answers of REST carry ETags that must stay as they are, its streams must not
    wait for a buffer, and vector files do not get smaller. Tokens in forms are masked anew each time, and
    Django's middleware adds random bytes, so that the length of a page tells nothing of them (BREACH).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if response.streaming or not is_page:
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed
