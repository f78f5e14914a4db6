"""The components with their states, for `/styleguide`; what a component takes is read from its template."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from registry.web.tabs import Tab

FOLDER = settings.BASE_DIR / "templates/components"
COLOURS = (
    *("ink", "ink-2", "ink-3", "line", "line-2", "paper", "card", "sunk", "accent", "accent-soft"),
    *("neg", "neg-soft", "pos", "pos-soft", "pass", "pass-soft", "warn", "warn-soft", "fail", "fail-soft"),
)
SPACES = ("s1", "s2", "s3", "s4", "s5", "s6", "s7")


class ExampleForm(forms.Form):
    """The kinds of field, one of them filled in badly."""

    name = forms.SlugField(label="Name", help_text="Lower case letters, digits and single hyphens.")
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    method = forms.ChoiceField(
        label="Method",
        choices=[("mean_difference", "mean difference"), ("pca", "first component")],
        widget=forms.RadioSelect,
    )
    is_public = forms.BooleanField(label="Everybody may see it", required=False)


@dataclass(frozen=True, slots=True)
class Example:
    """One state of a component: the line that a template writes, and what it gives."""

    line: str
    html: SafeString


@dataclass(frozen=True, slots=True)
class Component:
    """A partial template: its name, the comment at its top and its states."""

    name: str
    about: str
    examples: list[Example]
    is_card: bool = False


def components(request: HttpRequest) -> Iterator[Component]:
    """Every component with the states that it has, in the order in which one looks for them."""
    for name, states in _states().items():
        text = (FOLDER / f"{name}.html").read_text(encoding="utf-8")
        about = re.match(r"\{# (.*?) #\}", text)
        examples = [Example(_line(name, state), _render(name, state, request)) for state in states]
        yield Component(name, about[1] if about else "", examples, is_card=name == "card")


def _render(name: str, state: dict[str, Any], request: HttpRequest) -> SafeString:
    return render_to_string(f"components/{name}.html", state, request)


def _line(name: str, state: dict[str, Any]) -> str:
    words = " ".join(
        f"{key}={value!r}".replace("'", '"') if isinstance(value, str | int) else f"{key}={key}"
        for key, value in state.items()
    )
    only = "" if name == "dialog" else " only"
    return f'{{% include "components/{name}.html" with {words}{only} %}}'


def _states() -> dict[str, list[dict[str, Any]]]:
    form = ExampleForm({"name": "Not a slug!", "method": "pca"})
    return {
        "badge": [
            {"text": "private"},
            {"text": "succeeded", "kind": "pass"},
            {"text": "yanked", "kind": "warn"},
            {"text": "failed", "kind": "fail"},
            {"text": "running", "kind": "running"},
            {"text": "formality", "url": "/?trait=formality"},
        ],
        "verdict": [{"verdict": word} for word in ("pass", "warn", "fail", "insufficient", "")],
        "grade": [{"grade": letter} for letter in "ABCF"],
        "stat": [
            {"label": "Pairs", "value": "412"},
            {"label": "Test", "value": "64", "note": "in 16 groups"},
        ],
        "card": [{"url": "/styleguide", "title": "Formality", "text": "From casual to formal."}],
        "empty": [
            {
                "title": "No runs yet",
                "text": "A run extracts and measures a vector.",
                "action_url": "/datasets/",
                "action_label": "Choose a dataset",
                "more_url": "/docs/quickstart",
                "more_label": "How it works",
                "level": "h3",
            }
        ],
        "notice": [
            {"text": "The version is published and can no longer change.", "kind": "pass"},
            {
                "title": "Yanked",
                "text": "An exact pin still resolves.",
                "kind": "warn",
                "url": "/docs/faq",
                "link": "Questions and answers",
            },
            {"title": "Not saved", "text": "The name is taken; choose another.", "kind": "fail"},
            {"text": "Nothing is wrong; this is only good to know."},
        ],
        "field": [{"field": field} for field in form],
        "tabs": [
            {
                "label": "Example",
                "tabs": [
                    Tab("/styleguide", "Overview", is_current=True),
                    Tab("/styleguide", "Files", count="3"),
                ],
            }
        ],
        "crumbs": [
            {
                "root_url": "/presets/",
                "root": "Presets",
                "here": "New preset",
                "label": "Example of a page in a list",
            },
            {
                "owner": "acme",
                "name": "formality",
                "name_url": "/styleguide",
                "here": "blind test",
                "label": "Example of a page below",
            },
        ],
        "copy": [{"id": "copied", "text": "bearing pull acme/formality@1.0.0"}],
        "dialog": [
            {
                "id": "dialog-revoke",
                "open": "Revoke",
                "about": "laptop",
                "text": "Programs that use it are refused from then on.",
                "action": "/styleguide",
                "is_little": True,
            }
        ],
        "avatar": [{"name": "acme"}],
    }
