"""The form that starts an extraction: what all are asked, what has a good default, whether to publish."""

import uuid
from typing import Any

from django import forms

from registry.accounts.access import Visibility
from registry.catalog.states import License
from registry.web.forms import NAME_HELP, TIER_WORDS, PageForm
from registry.web.run_facts import POOLING_WORDS
from steering_core.spec import METHODS, POOLINGS, SITES, TIERS

METHOD_WORDS = {
    "mean_difference": "Mean difference: the default; the mean of positive texts minus that of negative ones",
    "pca": "Principal component: what the pairs differ in most, be it the trait or not",
    "logistic_probe": "Logistic probe: what tells the texts apart; it reads better than it writes",
    "whitened": "Whitened: the mean difference with less weight on what varies anyhow; separates best",
}
SITE_WORDS = {
    "resid_post": "Residual stream: all that has been added up after a block",
    "mlp_out": "Feed-forward output: what that part of a block adds",
    "attn_out": "Attention output: what that part of a block adds",
}
POOLING_USES = {
    "auto": "whatever fits the pairs; where two ways do, the one that steers better",
    "response_mean": "the mean over all its tokens",
    "answer_token": "for choices such as (A) and (B)",
    "prompt_last": "for texts without a prompt",
    "next_turn": "where the model is about to go on after the answer",
}
EXPERT_FIELDS = ("method", "site", "pooling")
PUBLISH_FIELDS = ("publish_version", "license", "visibility")


class ExtractForm(PageForm):
    """Start an extraction from a dataset version."""

    base_model = forms.ChoiceField(label="Base model", widget=forms.RadioSelect)
    owner = forms.ChoiceField(label="Owner", required=False)
    vector = forms.CharField(
        label="Vector name",
        max_length=129,
        help_text=f"{NAME_HELP} A name that is there already gets a new draft.",
    )
    tier = forms.ChoiceField(
        label="Tier",
        choices=[(name, TIER_WORDS[name]) for name in TIERS],
        initial="standard",
        widget=forms.RadioSelect,
    )
    method = forms.ChoiceField(
        label="Method",
        choices=[(name, METHOD_WORDS[name]) for name in METHODS],
        initial="mean_difference",
        required=False,
        widget=forms.RadioSelect,
    )
    site = forms.ChoiceField(
        label="Place in a block",
        choices=[(name, SITE_WORDS[name]) for name in SITES],
        initial="resid_post",
        required=False,
        widget=forms.RadioSelect,
    )
    pooling = forms.ChoiceField(
        label="Read at",
        choices=[(name, f"{POOLING_WORDS[name].capitalize()}: {POOLING_USES[name]}") for name in POOLINGS],
        initial="auto",
        required=False,
        widget=forms.RadioSelect,
    )
    publish_version = forms.CharField(
        label="Publish as version",
        max_length=32,
        required=False,
        help_text="MAJOR.MINOR.PATCH, such as 1.0.0, used once for good. Empty: it stays a draft that you "
        "publish when you have read its report.",
    )
    license = forms.ChoiceField(
        label="Licence", choices=License.choices, initial=License.CC_BY_4, required=False
    )
    visibility = forms.ChoiceField(
        label="Who may see it",
        choices=Visibility.choices,
        initial=Visibility.PRIVATE,
        required=False,
        widget=forms.RadioSelect,
    )
    # Sent twice, by a double click or a reload, it starts one run.
    idempotency_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, base_models: list[tuple[str, str]], owners: list[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["base_model"].choices = base_models  # type: ignore[attr-defined]  # it is a ChoiceField
        self.fields["base_model"].initial = base_models[0][0] if base_models else None
        self.fields["owner"].choices = [(slug, slug) for slug in owners or []]  # type: ignore[attr-defined]
        self.fields["idempotency_key"].initial = str(uuid.uuid4())

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        """What everybody is asked."""
        hidden = (*EXPERT_FIELDS, *PUBLISH_FIELDS)
        return [field for field in self if field.name not in hidden and field.name != "owner"]

    @property
    def expert_fields(self) -> list[forms.BoundField]:
        """What has a good default."""
        return [self[name] for name in EXPERT_FIELDS]

    @property
    def is_expert(self) -> bool:
        """Whether something else than a default was chosen."""
        return any((field.value() or field.initial) != field.initial for field in self.expert_fields)

    @property
    def publish_fields(self) -> list[forms.BoundField]:
        """The wish to publish at once."""
        return [self[name] for name in PUBLISH_FIELDS]

    @property
    def is_published(self) -> bool:
        """Whether there is one, or was one that was refused."""
        return bool(self["publish_version"].value() or any(self[name].errors for name in PUBLISH_FIELDS))

    @property
    def asked(self) -> dict[str, str]:
        """The valid fields of an `ExtractionRequest`; one that was left out keeps its default."""
        names: tuple[str, ...] = ("base_model", "tier", *EXPERT_FIELDS)
        if self.cleaned_data["publish_version"]:
            names = (*names, *PUBLISH_FIELDS)
        asked = {name: self.cleaned_data[name] for name in names if self.cleaned_data[name]}
        owner, vector = self.cleaned_data["owner"], self.cleaned_data["vector"]
        return {**asked, "vector": f"{owner}/{vector}" if owner and "/" not in vector else vector}
