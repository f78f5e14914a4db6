"""Forms to put presets together and publish them. They check shape; what is allowed the services say."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from registry.accounts.access import Visibility, listed_to
from registry.catalog.models import Vector
from registry.presets.drafts import MemberWish
from registry.presets.states import MixMode
from registry.web.forms import NAME_HELP, PageForm, domain_field
from steering_core.formats.preset import MAX_DESCRIPTION, MAX_LABEL, MAX_MEMBERS, MAX_TITLE

VECTORS_OFFERED = 200


class PresetForm(PageForm):
    """A new preset without its members."""

    name = forms.CharField(label="Name", max_length=129, help_text=NAME_HELP)
    title = forms.CharField(label="Title", required=False, max_length=MAX_TITLE)
    description = forms.CharField(
        label="Description",
        required=False,
        max_length=MAX_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    domain = domain_field()
    mode = forms.ChoiceField(
        label="How strengths come together",
        choices=MixMode.choices,
        initial=MixMode.SUM,
        widget=forms.RadioSelect,
    )


class MemberForm(forms.Form):
    """One vector of a mix; an empty row is left out."""

    reference = forms.CharField(
        label="Vector",
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"list": "vectors", "placeholder": "owner/name", "autocomplete": "off"}),
    )
    strength = forms.FloatField(
        label="Strength", required=False, widget=forms.NumberInput(attrs={"step": "any"})
    )
    label = forms.CharField(label="Label", required=False, max_length=MAX_LABEL)
    low_label = forms.CharField(label="Low end", required=False, max_length=MAX_LABEL)
    high_label = forms.CharField(label="High end", required=False, max_length=MAX_LABEL)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("reference") and found.get("strength") is None and "strength" not in self.errors:
            self.add_error("strength", "Give a strength within the vector’s window.")
        if not found.get("reference") and found.get("strength") is not None:
            self.add_error("reference", "Name the vector of this row.")
        return found


class BaseMemberFormSet(forms.BaseFormSet):
    """The rows; at least one is filled."""

    def clean(self) -> None:
        if not any(self.errors) and not wishes_of(self):
            raise forms.ValidationError("Choose at least one vector.")


MemberFormSet = forms.formset_factory(
    MemberForm, formset=BaseMemberFormSet, extra=4, max_num=MAX_MEMBERS, validate_max=True
)


def wishes_of(rows: "forms.BaseFormSet[Any]") -> list[MemberWish]:
    """The filled rows as the service takes them."""
    filled = [form.cleaned_data for form in rows.forms if form.cleaned_data.get("reference")]
    return [MemberWish(**{**row, "reference": row["reference"].strip()}) for row in filled]


class PresetReleaseForm(PageForm):
    """Publish a draft."""

    draft_id = forms.UUIDField(widget=forms.HiddenInput)
    version = forms.CharField(label="Version", max_length=32)
    visibility = forms.ChoiceField(
        label="Who may see it", choices=Visibility.choices, widget=forms.RadioSelect
    )


def vector_choices(viewer: Any) -> QuerySet[Vector]:
    """Vectors to offer by name, with their windows; more can be typed."""
    rows = Vector.objects.filter(listed_to(viewer), latest__isnull=False, removed_at=None)
    return rows.select_related("owner", "latest__base_model")[:VECTORS_OFFERED]
