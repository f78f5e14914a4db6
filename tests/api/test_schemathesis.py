"""The OpenAPI document against the running service, by schemathesis: every operation, valid and broken input,
all its checks, by nobody and by an owner of rows. `make fuzz` asks more of the same.

One check is put in other words: what the document allows is never refused for its form (400, or 422 with
`request.invalid`); for its meaning it may be, such as a name that is taken or a version that is none.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import CheckContext, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.specs.openapi.checks import positive_data_acceptance

from registry.accounts.models import Team
from registry.wsgi import application
from tests.factories import make_organisation, make_token, make_user, make_vector_version

pytestmark = pytest.mark.django_db
# More, and others each time, for `make fuzz`.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def served(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """The service as a server runs it, which closes an answer, and so the upload that it answers."""
    answer = application(environ, start_response)
    try:
        return list(answer)
    finally:
        answer.close()


DOCUMENT = SchemaGenerator(urlconf="registry.urls").get_schema(request=None, public=True)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.app = served
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, Any]]:
    """Parameters of paths that lead to rows, and the token of their owner."""
    ends = (signals.request_started, signals.request_finished)
    with django_db_blocker.unblock(), transaction.atomic():
        # A request begins and ends with a fresh connection; here it is the transaction's own.
        for end in ends:
            end.disconnect(close_old_connections)
        user = make_user("acme")
        row = make_vector_version(user)
        organisation = make_organisation("initech", owner=user)
        Team.objects.create(namespace=organisation, name="red")
        yield {
            "owner": "acme",
            "name": "formality",
            "ref": "1.0.0",
            "other": "1.0.0",
            "version": "1.0.0",
            "number": 1,
            "sha256": row.artifact_id,
            "version_id": str(row.pk),
            "run_id": str(row.run.pk),
            "model_hash": row.base_model.model_hash,
            "slug": "initech",
            "team": "red",
            "token": make_token(user, ("read", "write", "manage")),
        }
        for end in ends:
            end.connect(close_old_connections)
        transaction.set_rollback(True)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda found: found.label)
@pytest.mark.parametrize("who", ["nobody", "owner"])
def test_operation_keeps_to_the_document(operation: Any, who: str, rows: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {rows['token']}"} if who == "owner" else {}
    named = rows | ({"name": "tone-pairs", "other": 1} if "/datasets/" in operation.path else {})

    def ask(mode: GenerationMode, examples: int) -> None:
        @settings(
            max_examples=EXAMPLES or examples,
            derandomize=not EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
        def one(case: Any, is_there: bool) -> None:
            if is_there and mode is GenerationMode.POSITIVE:
                parameters = case.path_parameters or {}
                case.path_parameters = {key: named.get(key, value) for key, value in parameters.items()}
            with transaction.atomic():
                response = case.call(headers=headers)
                case.validate_response(
                    response,
                    headers=headers,
                    excluded_checks=[positive_data_acceptance],
                    additional_checks=[is_not_refused_for_its_form],
                )
                transaction.set_rollback(True)

        one()

    ask(GenerationMode.POSITIVE, 5)
    # Without a token, broken bodies are all answered alike. In a query everything is a text.
    if who == "owner" and operation.body:
        ask(GenerationMode.NEGATIVE, 4)


def is_not_refused_for_its_form(ctx: CheckContext, response: Any, case: Any) -> bool | None:
    """The check that stands in for `positive_data_acceptance`."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return None
    code = (response.headers.get("x-error-code") or [""])[0]
    assert code not in ("request.invalid", "request.parse_error"), response.json()["detail"]
    return None


def test_all_checks_of_schemathesis_are_asked() -> None:
    assert len(CHECKS.get_all_names()) >= 10
