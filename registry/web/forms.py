"""What the pages ask for. Forms check shape only; what is allowed the services say, and `refuse` shows it."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from registry.accounts.access import Visibility
from registry.accounts.models import ApiToken
from registry.catalog.states import Domain, License
from registry.core.errors import RegistryError
from registry.web.errors import sentence
from steering_core.spec import TIERS

NAME_HELP = "Lower-case letters, digits and hyphens."
TIER_WORDS = {
    "smoke": "Smoke: a first look in seconds; too little for a verdict",
    "standard": "Standard: the full report, with controls, prompting and the safety screen",
    "gold": "Gold: more prompts, 99 controls of each kind; narrow intervals, many times the time",
}
SCOPE_WORDS = {
    "read": "Read only: see and download what you may see",
    "write": "Read and write: also upload datasets, start runs, publish",
    "manage": "Everything: also organisations, members, tokens, webhooks, transfers",
}
DAYS = {"": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}


def domain_field() -> forms.ChoiceField:
    """On which shelf of the catalog it stands."""
    return forms.ChoiceField(
        label="Collection",
        required=False,
        choices=[("", "None yet"), *Domain.choices],
        help_text="Where people find it in the catalog. You can change it later.",
    )


class PageForm(forms.Form):
    """A form that takes the refusal of a service."""

    def refuse(self, error: RegistryError) -> None:
        """Show a service's refusal at the field it names, else above the form."""
        field = next((name for name in error.fields if name in self.fields), None)
        self.add_error(field, sentence(error.message))


class MigrateForm(PageForm):
    """Move a version to another base model."""

    version_id = forms.UUIDField(widget=forms.HiddenInput)
    base_model = forms.ChoiceField(label="Base model")
    vector = forms.CharField(
        label="Vector name", max_length=64, help_text=f"{NAME_HELP} A name of yours gets a new draft."
    )
    tier = forms.ChoiceField(
        label="Tier",
        choices=[(name, TIER_WORDS[name]) for name in TIERS],
        initial="standard",
        widget=forms.RadioSelect,
    )
    # Sent twice, by a double click or a reload, it starts one run.
    idempotency_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, base_models: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["base_model"].choices = base_models  # type: ignore[attr-defined]  # it is a ChoiceField
        self.fields["idempotency_key"].initial = str(uuid.uuid4())

    @property
    def asked(self) -> dict[str, str]:
        """The fields of a `MigrationRequest`."""
        named = {name: self.cleaned_data[name] for name in ("base_model", "vector", "tier")}
        return {"source": str(self.cleaned_data["version_id"]), **named}


class PublishForm(PageForm):
    """Freeze an extracted version under a name for good."""

    draft_id = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.CharField(
        label="Version", max_length=32, help_text="MAJOR.MINOR.PATCH; never used again, whatever happens."
    )
    license = forms.ChoiceField(label="Licence", choices=License.choices, initial=License.CC_BY_4)
    visibility = forms.ChoiceField(
        label="Who may see it", choices=Visibility.choices, widget=forms.RadioSelect
    )
    domain = domain_field()


class YankForm(PageForm):
    """Withdraw a published version."""

    version = forms.CharField(max_length=32, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Why", max_length=500, help_text="Whoever pinned this version will read it."
    )


class VectorForm(PageForm):
    """The words around a vector."""

    title = forms.CharField(label="Title", required=False, max_length=120)
    description = forms.CharField(
        label="Description",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A sentence or two: what it does, for the head of the page and for search.",
    )
    card_text = forms.CharField(
        label="Card",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 12, "class": "mono"}),
        help_text="Markdown: what it is meant for, where it fails, how it was made.",
    )
    domain = domain_field()
    visibility = forms.ChoiceField(
        label="Who may see it", choices=Visibility.choices, widget=forms.RadioSelect
    )


class TokenForm(PageForm):
    """A new access token."""

    name = forms.CharField(
        label="Name", max_length=80, help_text="Where it will be used, such as “laptop” or “training job”."
    )
    scope = forms.ChoiceField(
        label="What it may do", choices=list(SCOPE_WORDS.items()), initial="read", widget=forms.RadioSelect
    )

    expires = forms.ChoiceField(label="Expires", choices=list(DAYS.items()), required=False)

    @property
    def scopes(self) -> list[str]:
        """The chosen scope and those before it: writing without reading would be of no use."""
        known = ApiToken.Scope.values
        return known[: known.index(self.cleaned_data["scope"]) + 1]

    @property
    def expires_at(self) -> datetime | None:
        """When it ends; None for never."""
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None
