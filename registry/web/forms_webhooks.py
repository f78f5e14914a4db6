"""What a webhook's page asks for."""

import re
from typing import Any

from django import forms

from registry.web.forms import PageForm

ACTIONS_HELP = (
    "One on each line, as the log has them: version.published, version.* for all of a kind, or * for "
    "everything."
)


class WebhookForm(PageForm):
    """Where to send what."""

    url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="https, on the public internet; redirects are not followed.",
        widget=forms.TextInput(attrs={"placeholder": "https://", "inputmode": "url"}),
    )
    description = forms.CharField(label="What it is for", required=False, max_length=200)
    actions = forms.CharField(
        label="Actions", initial="version.*", help_text=ACTIONS_HELP, widget=forms.Textarea(attrs={"rows": 3})
    )
    follows = forms.CharField(
        label="Also public events of",
        required=False,
        help_text="Names of people and organisations, with spaces between them.",
    )

    @property
    def fields_sent(self) -> dict[str, Any]:
        """As the services take them."""
        given = self.cleaned_data
        lists = {name: re.split(r"[\s,]+", given[name].strip()) for name in ("actions", "follows")}
        return {
            "url": given["url"].strip(),
            "description": given["description"].strip(),
            **{name: [text for text in texts if text] for name, texts in lists.items()},
        }
