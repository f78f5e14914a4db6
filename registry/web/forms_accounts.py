"""What profiles, organisations and settings ask for. What is allowed the services say, as in `forms`."""

from collections.abc import Sequence
from typing import Any

from django import forms

from registry.accounts.roles import Role
from registry.web.forms import NAME_HELP, PageForm

ROLE_WORDS = [(role.value, role.label) for role in Role]


class WordsForm(PageForm):
    """The words around a person or an organisation."""

    title = forms.CharField(label="Display name", required=False, max_length=120)
    description = forms.CharField(
        label="About",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A sentence or two; at most 500 characters.",
    )
    website = forms.CharField(
        label="Website",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "https://", "inputmode": "url"}),
    )


class OrganisationForm(WordsForm):
    """A new organisation."""

    slug = forms.CharField(
        label="Name",
        max_length=64,
        help_text=f"{NAME_HELP} It stands before everything that the organisation publishes, as in "
        "initech/formality, and never changes.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    field_order = ["slug", "title", "description", "website"]


class InviteForm(PageForm):
    """Whom to invite, and as what."""

    email = forms.CharField(label="E-mail address", max_length=254, widget=forms.EmailInput())
    role = forms.ChoiceField(label="Role", initial=Role.WRITER.value)

    def __init__(self, *args: Any, roles: Sequence[Role], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]  # it is a ChoiceField


class TeamForm(PageForm):
    """The name of a team."""

    name = forms.CharField(label="Name", max_length=64, help_text=NAME_HELP)


class TeamMemberForm(PageForm):
    """A member of the organisation, for a team."""

    username = forms.ChoiceField(label="Member")

    def __init__(self, *args: Any, usernames: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].choices = [(name, name) for name in usernames]  # type: ignore[attr-defined]  # it is a ChoiceField


class GrantForm(PageForm):
    """A role on one name of the organisation."""

    name = forms.CharField(
        label="Name",
        max_length=64,
        help_text="Of a vector, dataset or preset, without the part before the slash.",
    )
    role = forms.ChoiceField(
        label="Role",
        choices=[pair for pair in ROLE_WORDS if pair[0] != Role.OWNER],
        initial=Role.WRITER.value,
    )
