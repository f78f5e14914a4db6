"""Random lives of a vector, its versions and aliases, beside a model of a few lines: every step is allowed or
refused as the model says, and after each, a reference names what it should.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from registry.accounts.models import User
from registry.audit.models import AuditEvent
from registry.catalog.aliases import alias_delete, alias_set
from registry.catalog.drafts import draft_discard
from registry.catalog.lifecycle import version_unyank, version_yank
from registry.catalog.models import AliasEvent, VectorVersion
from registry.catalog.releasing import version_publish
from registry.catalog.removal import version_remove
from registry.catalog.selectors import version_get, version_list
from registry.catalog.transfers import vector_move
from registry.core.errors import RegistryError
from registry.core.naming import version_key
from tests.factories import make_user, make_vector_version

DRAFTS = range(3)
NUMBERS = ("1.0.0", "1.1.0")
ALIASES = ("stable", "prod")
REFERENCES = ("latest", *NUMBERS, *ALIASES)
NAMES = ("formality", "tone", "register")
# The one draft whose verdict is too poor for a protected alias.
POOR = 2
DRAFT, ALIAS, NAME = (st.sampled_from(list(values)) for values in (DRAFTS, ALIASES, NAMES))
# Most often the one that is there from the beginning, since most happens to what exists.
NUMBER = st.sampled_from([NUMBERS[0], *NUMBERS])


class Life(RuleBasedStateMachine):
    """The model: where each draft is, which draft each number names, where aliases point."""

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        self.undo.__enter__()
        self.rows = list(VectorVersion.objects.select_related("vector__owner").order_by("created_at"))
        self.owner, self.staff = (User.objects.get(username=name) for name in ("acme", "operator"))
        self.state = dict.fromkeys(DRAFTS, "extracted")
        self.numbers: dict[str, int] = {}
        self.aliases: dict[str, tuple[str, bool]] = {}
        self.name, self.names = "formality", {"formality"}
        self.moves = self.log = self.step = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undo.__exit__(None, None, None)

    def did(self, problem: str, change: Callable[..., Any], **wish: Any) -> bool:
        """Whether it was done; it has to be refused with this code, if there is one."""
        code = ""
        try:
            with transaction.atomic():
                change(actor=wish.pop("actor", self.owner), **wish)
        except RegistryError as error:
            code = error.code
        assert code == problem, (change.__name__, wish)
        self.log += not code
        return not code

    def state_of(self, number: str) -> str:
        return self.state[self.numbers[number]] if number in self.numbers else ""

    def missing(self, number: str) -> str:
        """The code for a number that names nothing that can be changed."""
        return {"": "version.not_found", "removed": "removed.safety"}.get(self.state_of(number), "")

    @initialize()
    def begin_with_a_version_and_an_alias(self) -> None:
        self.publish(0, "1.0.0")
        self.point("stable", "1.0.0", None)

    @rule(draft=DRAFT, number=NUMBER)
    def publish(self, draft: int, number: str) -> None:
        problem = "version.taken" if number in self.numbers else ""
        problem = problem or ("version.not_publishable" if self.state[draft] != "extracted" else "")
        row_id = str(self.rows[draft].pk)
        wish = {"name": self.name, "version": number, "license": "MIT", "draft_id": row_id}
        if self.did(problem, version_publish, visibility="public", **wish):
            self.state[draft], self.numbers[number] = "published", draft

    @rule(draft=DRAFT)
    def discard(self, draft: int) -> None:
        problem = {"extracted": "", "discarded": "version.not_found", "removed": "removed.safety"}.get(
            self.state[draft], "state.illegal_transition"
        )
        if self.did(problem, draft_discard, version_id=str(self.rows[draft].pk)):
            self.state[draft] = "discarded"

    @rule(number=NUMBER)
    def yank(self, number: str) -> None:
        problem = self.missing(number)
        problem = problem or ("" if self.state_of(number) == "published" else "state.illegal_transition")
        if self.did(problem, version_yank, name=self.name, version=number, reason="wrong"):
            self.state[self.numbers[number]] = "yanked"

    @rule(number=NUMBER)
    def unyank(self, number: str) -> None:
        problem = self.missing(number)
        problem = problem or ("" if self.state_of(number) == "yanked" else "state.illegal_transition")
        if self.did(problem, version_unyank, name=self.name, version=number):
            self.state[self.numbers[number]] = "published"

    @rule(draft=DRAFT)
    def remove(self, draft: int) -> None:
        problem = "" if self.state[draft] in ("published", "yanked") else "state.illegal_transition"
        row = VectorVersion.objects.get(pk=self.rows[draft].pk)
        said = {"actor": self.staff, "version": row, "kind": "safety", "reason": "harm"}
        if self.did(problem, version_remove, **said):
            self.state[draft] = "removed"

    @rule(alias=ALIAS, number=NUMBER, protect=st.sampled_from([None, True, False]))
    def point(self, alias: str, number: str, protect: bool | None) -> None:
        before = self.aliases.get(alias)
        is_protected = (before is not None and before[1]) if protect is None else protect
        problem = self.missing(number)
        problem = problem or ("alias.version_yanked" if self.state_of(number) == "yanked" else "")
        if not problem and is_protected and self.numbers[number] == POOR:
            problem = "alias.not_worthy"
        wish = {"name": self.name, "alias": alias, "version": number, "is_protected": protect}
        if self.did(problem, alias_set, **wish):
            changed = before != (number, is_protected)
            self.aliases[alias] = (number, is_protected)
            self.moves += changed
            self.log -= not changed

    @rule(alias=ALIAS)
    def drop(self, alias: str) -> None:
        problem = "" if alias in self.aliases else "alias.not_found"
        if self.did(problem, alias_delete, name=self.name, alias=alias):
            del self.aliases[alias]
            self.moves += 1

    @rule(name=NAME)
    def rename(self, name: str) -> None:
        problem = "name.same" if name == self.name else ""
        if self.did(problem, vector_move, owner="acme", name=self.name, to_name=name):
            self.name = name
            self.names.add(name)

    @invariant()
    def every_reference_names_what_it_should(self) -> None:
        """Looked at in every fourth state, since each reference costs a few queries."""
        self.step += 1
        if self.step % 4 == 0:
            name = sorted(self.names)[self.step % len(self.names)]
            found = {reference: self.resolved(name, reference) for reference in REFERENCES}
            assert found == {reference: self.expected(reference) for reference in REFERENCES}

    @invariant()
    def everything_is_written_down(self) -> None:
        assert AliasEvent.objects.count() == self.moves
        ours = ("version.", "draft.", "alias.", "vector.renamed")
        log = AuditEvent.objects.values_list("action", flat=True)
        assert sum(action.startswith(ours) for action in log) == self.log
        listed = {row.pk for row in version_list(viewer=self.owner, vector=self.rows[0].vector)}
        assert listed == {
            self.rows[d].pk for d, state in self.state.items() if state not in ("removed", "discarded")
        }

    def expected(self, reference: str) -> str:
        """As `resolved`, of the model."""
        if reference == "latest":
            published = [n for n in self.numbers if self.state_of(n) == "published"]
            return max(published, key=version_key, default="version.not_found")
        number = self.aliases.get(reference, ("", False))[0] if reference in ALIASES else reference
        if reference in ALIASES and self.state_of(number) == "yanked":
            return "alias.yanked"
        return self.missing(number) or number

    def resolved(self, name: str, reference: str) -> str:
        """The number that a reference leads to, or the code of the refusal."""
        try:
            row = version_get(viewer=self.owner, owner="acme", name=name, reference=reference)
        except RegistryError as error:
            return error.code
        assert str(row) == f"acme/{self.name}@{row.version}"
        return str(row.version)


@pytest.mark.django_db
def test_lives_go_as_the_model_says() -> None:
    owner = make_user()
    make_user("operator", is_staff=True)
    for draft in DRAFTS:
        verdict = "insufficient" if draft == POOR else "pass"
        make_vector_version(owner=owner, state="extracted", verdict=verdict, seed=draft)
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=8,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
