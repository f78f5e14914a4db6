"""Many at once, each with a connection of its own: one wins, the others are told."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from registry.catalog.aliases import alias_set
from registry.catalog.gating import access_ask, access_set
from registry.catalog.lifecycle import version_yank
from registry.catalog.models import AccessRequest, Alias, AliasEvent, VectorVersion
from registry.catalog.releasing import version_publish
from registry.core.errors import RegistryError
from tests.factories import make_user, make_vector_version

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(attempts: list[Callable[[], Any]]) -> Counter[str]:
    """How each of these ended, all begun together: "done", or the status and the code of its refusal."""
    together, outcomes = threading.Barrier(len(attempts)), []

    def run(attempt: Callable[[], Any]) -> None:
        together.wait()
        try:
            attempt()
            outcomes.append("done")
        except RegistryError as error:
            outcomes.append(f"{error.http_status} {error.code}")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[attempt]) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(outcomes)


def test_of_fifty_publishes_of_one_version_one_wins() -> None:
    owner = make_user()
    drafts = [make_vector_version(owner=owner, state="extracted", seed=seed) for seed in range(5)]

    def publish(draft: VectorVersion) -> Callable[[], Any]:
        wish = {"name": "formality", "version": "1.0.0", "license": "MIT", "draft_id": str(draft.pk)}
        return lambda: version_publish(actor=owner, **wish)

    found = at_once([publish(drafts[number % 5]) for number in range(50)])

    assert found == {"done": 1, "409 version.taken": 49}
    assert VectorVersion.objects.filter(state="published").count() == 1


def test_alias_and_yank_at_once_leave_no_alias_set_after_the_yank() -> None:
    owner = make_user()
    make_vector_version(owner=owner)
    move = {"actor": owner, "name": "formality", "version": "1.0.0"}
    attempts = [lambda n=n: alias_set(alias=f"stable-{n}", **move) for n in range(8)]
    found = at_once([*attempts[:4], lambda: version_yank(reason="wrong", **move), *attempts[4:]])
    yanked_at = VectorVersion.objects.get().yanked_at
    assert yanked_at is not None
    assert found["done"] - 1 == Alias.objects.count() == AliasEvent.objects.count()
    assert found["409 alias.version_yanked"] == 9 - found["done"]


def test_asking_ten_times_at_once_makes_one_request() -> None:
    owner, other = make_user(), make_user("mallory")
    make_vector_version(owner=owner)
    it = {"owner": "acme", "name": "formality"}
    access_set(actor=owner, access="gated", **it)
    assert at_once([lambda: access_ask(actor=other, **it)] * 10) == {"done": 10}
    assert AccessRequest.objects.count() == 1
