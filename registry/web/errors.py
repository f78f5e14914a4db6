"""Errors that a view raises on purpose become pages with the right status and the message."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from registry.core.errors import RegistryError

TITLES = {
    403: "Not yours to change",
    404: "Nothing here",
    409: "Something stands in the way",
    410: "Removed",
    422: "This cannot be used",
    429: "Too many at once",
    451: "Removed for legal reasons",
    503: "Out of reach for a moment",
}
HIDDEN = "Something on our side went wrong. It has been recorded; please try again in a moment."


class RegistryErrorMiddleware:
    """Turns a RegistryError of a page into an answer; the API has a handler of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page for a RegistryError; None, and so Django's own way, for all else and for our damage."""
        if isinstance(exception, RegistryError) and exception.http_status != 500:
            return error_page(request, exception)
        return None


def error_page(request: HttpRequest, error: RegistryError) -> HttpResponse:
    """The page of an error, with its status; what the platform alone can mend is not told in detail."""
    context = {
        "title": TITLES.get(error.http_status, "This did not work"),
        "message": HIDDEN if error.http_status >= 500 else sentence(error.message),
        "code": error.code,
        "status": error.http_status,
    }
    return render(request, "errors/error.html", context, status=error.http_status)


def sentence(message: str) -> str:
    """An error message as a sentence: a capital first and a full stop last."""
    text = message.strip()
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    return ended[:1].upper() + ended[1:]
