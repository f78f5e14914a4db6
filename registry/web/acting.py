"""Buttons: do one thing, say how it went, and go back to the page that the button is on."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from registry.core.errors import RegistryError
from registry.web.errors import sentence

# What the page with the button can say; who may not be there at all gets a page of its own.
SAID_ON_THE_PAGE = (409, 422, 429)


def act(request: HttpRequest, work: Callable[[], Any], *, said: str, back: str) -> HttpResponse:
    """Call a service and go to `back`, with `said` or the service's refusal as a message.

    Raises:
        RegistryError: a refusal that is no answer to a button, such as 404.
    """
    try:
        work()
    except RegistryError as error:
        if error.http_status not in SAID_ON_THE_PAGE:
            raise
        messages.error(request, sentence(error.message))
    else:
        messages.success(request, said)
    return redirect(back)
