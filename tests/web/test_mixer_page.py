"""The mixer's page as the server renders it; `tests/browser/test_mixer.py` uses it as a person does."""

from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.playground.events import Event
from tests.factories import make_vector_version
from tests.web.pages import words

ADDRESS = "/mixer?model=bearing/demo&prompt=x&v=acme/formality@1.0.0:0.2"


def test_mixer_looks_each_vector_up_once(
    signed_in: Client, acme: User, django_assert_num_queries: Any
) -> None:
    make_vector_version(owner=acme)
    make_vector_version(owner=acme, name="apart", seed=1)
    with django_assert_num_queries(8):
        page = signed_in.get(ADDRESS)
    assert b'name="ref" value="acme/formality@1.0.0"' in page.content
    # The other vector, and what a preset measured of both; a second mix is of the same vectors.
    for second_mix in ("", "&b=acme/formality@1.0.0:0.1"):
        with django_assert_num_queries(10):
            signed_in.get(f"{ADDRESS}&v=acme/apart@1.0.0:0.1{second_mix}")


@pytest.mark.parametrize(
    ("first", "n_tokens", "said"),
    [
        (0.25, 9, "First word after 0.25 s, all after 1.50 s, 9 new tokens."),
        (0.0, 9, "All after 1.50 s, 9 new tokens."),
        (0.0, 0, "Written before, with the same seed."),
    ],
)
def test_mixer_without_a_script_says_how_long_the_texts_took(
    signed_in: Client, acme: User, monkeypatch: pytest.MonkeyPatch, first: float, n_tokens: int, said: str
) -> None:
    make_vector_version(owner=acme)
    outcome = {"first_token_seconds": first, "seconds": 1.5, "n_tokens": n_tokens, "columns": []}
    events = [Event("neutral", {"text": "plain"}), Event("done", outcome)]
    monkeypatch.setattr("registry.web.views.mixer.watch", lambda job, seconds: events)
    form = {"model": "bearing/demo", "ref": "acme/formality@1.0.0", "a": "0.2", "prompt": "x", "play": "1"}
    page = words(signed_in.post("/mixer", form).content)
    assert "plain" in page
    assert said in page
