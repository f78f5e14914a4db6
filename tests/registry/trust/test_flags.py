"""Decisions on reports: what staff hid stays hidden until they let its owner show it again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from registry.core.errors import ConflictError, NotAllowedError
from registry.datasets.services import dataset_make_public
from registry.presets.drafts import MemberWish, PresetWish, preset_create, preset_draft
from registry.presets.publishing import preset_publish, preset_update
from registry.trust.flags import FINDERS, Decision, flag_decide, flag_open
from tests.factories import make_dataset_version, make_user, make_vector_version

NAME = {"owner": "acme", "name": "mine"}
MEMBERS = [MemberWish("acme/formality", 0.2)]


def make_shown(kind: str, owner: Any) -> None:
    """A public data set or preset."""
    if kind == "dataset":
        make_dataset_version(owner=owner, name="mine", visibility="public")
        return
    make_vector_version(owner=owner)
    preset_create(actor=owner, wish=PresetWish("mine", MEMBERS))
    preset_publish(actor=owner, **NAME, version="1.0.0", visibility="public")
    preset_draft(actor=owner, **NAME, members=MEMBERS)


@pytest.mark.parametrize(
    ("kind", "show"),
    [
        ("dataset", lambda owner: dataset_make_public(actor=owner, name="mine")),
        ("preset", lambda owner: preset_update(actor=owner, **NAME, visibility="public")),
        (
            "preset",
            lambda owner: preset_publish(actor=owner, **NAME, version="1.1.0", visibility="public"),
        ),
    ],
)
def test_hidden_stays_private_until_staff_let_its_owner_show_it(
    owner: Any, other: Any, kind: str, show: Callable[[Any], Any]
) -> None:
    make_shown(kind, owner)
    flag, _ = flag_open(actor=other, kind=kind, **NAME, reason="person", text="It names somebody.")
    staff = make_user("operator", is_staff=True)
    decide = partial(flag_decide, actor=staff, flag_id=str(flag.pk))
    decide(decision=Decision("hidden", "It names a person."))

    with pytest.raises(NotAllowedError, match="names a person"):
        show(owner)
    assert FINDERS[kind](viewer=owner, **NAME).visibility == "private"
    decide(decision=Decision("unhidden", "The name is gone."))
    show(owner)
    assert FINDERS[kind](viewer=other, **NAME).visibility == "public"
    with pytest.raises(ConflictError):
        decide(decision=Decision("hidden", "Again."))
