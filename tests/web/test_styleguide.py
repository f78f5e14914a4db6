"""The style guide shows every component of the folder, and is not there in production."""

import re
from typing import Any

import pytest
from django.http import Http404
from django.test import Client, RequestFactory

from registry.web import styleguide
from registry.web.views.styleguide import styleguide_page

# Parts of the frame, which every page shows, and those that only another component includes.
NOT_SHOWN = {"bell", "mark", "menu", "messages", "nav_links", "pages", "form_errors", "copy_button"}

INCLUDED = re.compile(r'include "components/(\w+\.html)"')


@pytest.mark.django_db
def test_every_component_is_shown_with_the_line_that_includes_it(client: Client) -> None:
    html = client.get("/styleguide").content.decode()
    names = {path.stem for path in styleguide.FOLDER.glob("*.html")} - NOT_SHOWN
    for name in names:
        assert f"{{% include &quot;components/{name}.html&quot; with " in html, name


def test_every_component_is_used_by_a_page() -> None:
    pages = "".join(path.read_text() for path in styleguide.FOLDER.parent.rglob("*.html"))
    # A tag of its own draws the bell.
    used = {*INCLUDED.findall(pages), "bell.html"}
    assert {path.name for path in styleguide.FOLDER.glob("*.html")} == used


def test_production_has_no_style_guide(rf: RequestFactory, settings: Any) -> None:
    settings.SHOW_STYLEGUIDE = False
    with pytest.raises(Http404):
        styleguide_page(rf.get("/styleguide"))
