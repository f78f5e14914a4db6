"""What the pages of data sets ask for: rows by file or by hand, one row, and the words of a version."""

from typing import Any

from django import forms

from registry.accounts.access import Visibility
from registry.core.licences import License
from registry.web.forms import NAME_HELP, PageForm

# So many characters fit into what a request without files may hold, whatever their script.
PASTE_CHARS = 500_000


class UploadForm(PageForm):
    """A file of pairs, two zipped by line, rows in a text field, or what was sent in parts before.

    The name comes first so that a cut upload keeps it.
    """

    name = forms.CharField(
        label="Dataset name",
        required=False,
        max_length=64,
        help_text=f"{NAME_HELP} You can still change it on the next page.",
    )
    file = forms.FileField(label="File of pairs", required=False, allow_empty_file=True)
    negative_file = forms.FileField(label="Negative texts", required=False, allow_empty_file=True)
    text = forms.CharField(
        label="Rows", required=False, strip=False, max_length=PASTE_CHARS, widget=forms.Textarea
    )
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    negative_upload = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """One source of rows, and only one."""
        cleaned: dict[str, Any] = super().clean() or {}
        sources = [name for name in ("file", "upload") if cleaned.get(name)]
        if str(cleaned.get("text") or "").strip():
            sources.append("text")
        if not sources and not self.errors:
            self.add_error("file", "There is nothing to read: choose a file, or paste rows.")
        if "text" in sources and len(sources) > 1:
            self.add_error("text", "There are rows here and a file as well; send one of them.")
        return cleaned


class RowForm(PageForm):
    """One row, to be written anew or added."""

    prompt = forms.CharField(
        label="Prompt", required=False, strip=False, widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"})
    )
    negative = forms.CharField(
        label="Negative", strip=False, widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"})
    )
    positive = forms.CharField(
        label="Positive", strip=False, widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"})
    )
    group = forms.CharField(label="Group", required=False, max_length=200)
    domain = forms.CharField(label="Domain", required=False, max_length=200)


class CommitForm(PageForm):
    """Name pairs and save them as a version."""

    name = forms.CharField(
        label="Name",
        max_length=129,
        help_text=f"{NAME_HELP} With the name of a dataset of yours, this becomes its next version.",
    )
    description = forms.CharField(
        label="Description", required=False, max_length=500, widget=forms.Textarea(attrs={"rows": 3})
    )
    license = forms.ChoiceField(label="Licence", required=False, choices=[("", "Not said"), *License.choices])
    language = forms.CharField(
        label="Language",
        required=False,
        max_length=60,
        help_text="A tag such as en or pt-BR; several with commas.",
    )
    notes = forms.CharField(
        label="What is new in this version",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    visibility = forms.ChoiceField(
        label="Who may see it",
        choices=Visibility.choices,
        initial=Visibility.PRIVATE,
        required=False,
        widget=forms.RadioSelect,
    )
