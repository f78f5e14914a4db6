"""Names of owners: no two look alike, none looks like a word of the service, and one is given once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from registry.accounts.adapter import AccountAdapter
from registry.accounts.models import Namespace, User
from registry.accounts.names import owner_name_problem
from registry.accounts.organisations import organisation_create
from registry.core.errors import ConflictError, InvalidError, RegistryError
from registry.core.naming import SLUG, SLUG_PATTERN, skeleton
from tests.factories import make_organisation, make_user

# What stands there, and names that a hurried reader takes for it.
CONFUSABLES = {
    "initech": "1nitech in1tech 1n1tech lnitech inltech lnltech ini-tech i-n-i-tech initec-h 1n1-tech",
    "modern-clock": "rnodern-clock modem-clock modemclock rnodemclock modern-dock moderndock rnodern-d0ck "
    "m0dern-clock modern-c1ock modern-ciock modernclock modernc-lock",
    "vervvow": "verwow vervv0w verw0w ver-vvow verwo-w",
    "google": "goog1e g00gle go0gle googie g0ogle g00g1e goo-gle g0-0gle",
    "openai-labs": "0penai-labs openal-labs opena1-labs openai-1abs openai-iabs openai-lab5 openailabs",
    "llama": "11ama l1ama iiama liarna llarna 11arna l-lama ll-ama",
}
PAIRS = [(name, alike) for name, words in CONFUSABLES.items() for alike in words.split()]


def test_there_are_fifty_confusables() -> None:
    assert len(PAIRS) >= 50
    assert all(SLUG_PATTERN.fullmatch(alike) and alike != name for name, alike in PAIRS)


@pytest.mark.django_db
@pytest.mark.parametrize("name", CONFUSABLES)
def test_look_alikes_of_a_name_are_refused(name: str) -> None:
    make_organisation(name)
    for alike in CONFUSABLES[name].split():
        problem = owner_name_problem(alike)
        assert problem is not None, alike
        assert problem.code == "namespace.lookalike"
        assert name in problem.message


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["intech", "moderna", "openly", "lama", "gogle", "vow", "initech2"])
def test_names_that_look_different_are_free(name: str) -> None:
    for taken in CONFUSABLES:
        make_organisation(taken)
    assert owner_name_problem(name) is None


@given(st.from_regex(SLUG, fullmatch=True, alphabet="vwrnmcld0o1li5s-ab"))
def test_skeleton_folds_what_is_folded_to_itself(slug: str) -> None:
    folded = skeleton(slug)
    assert skeleton(folded) == folded
    assert len(folded) <= len(slug)
    for seen, same in (("m", "rn"), ("w", "vv"), ("d", "cl"), ("l", "1"), ("o", "0")):
        assert skeleton(slug.replace(seen, same)) == folded


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["admin", "adrnin", "adm1n", "ap1", "5ettings", "d-ocs", "docs", "l0gin", "rne"]
)
def test_words_of_the_service_and_their_look_alikes_are_reserved(name: str) -> None:
    problem = owner_name_problem(name)
    assert problem is not None
    assert problem.code == "namespace.reserved"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["1n1tech", "initech", "adm1n", "-x"])
def test_sign_up_obeys_the_same_rule(name: str) -> None:
    make_organisation("initech")
    with pytest.raises(ValidationError) as error:
        AccountAdapter().clean_username(name)
    assert str(error.value.messages[0])[0].isupper()


@pytest.mark.django_db
def test_an_organisation_cannot_take_the_name_of_a_person() -> None:
    founder, _ = make_user("founder"), make_user("ada")
    for name, code in (("ada", "namespace.taken"), ("a-da", "namespace.lookalike")):
        with pytest.raises(ConflictError) as error:
            organisation_create(actor=founder, slug=name)
        assert error.value.code == code
    with pytest.raises(InvalidError):
        organisation_create(actor=founder, slug="No Slug")


@pytest.mark.django_db
def test_staff_pages_obey_the_same_rule(client: Any) -> None:
    make_organisation("initech")
    client.force_login(make_user("operator", is_staff=True, is_superuser=True))
    fields = {"username": "1nitech", "email": "x@example.org", "usable_password": "false"}
    answer = client.post("/admin/accounts/user/add/", fields)
    assert answer.status_code == 200
    assert "could be mistaken for" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_a_name_at_once_one_gets_it() -> None:
    names = ["initech", "1nitech", "in1tech", "ini-tech"] * 2
    founders = [make_user(f"founder-{letter}") for letter in "abcdefgh"]
    gate = Barrier(len(names))

    def found(founder: User, name: str) -> str:
        gate.wait(timeout=20)
        try:
            return organisation_create(actor=founder, slug=name).slug
        except RegistryError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(names)) as pool:
        outcomes = list(pool.map(found, founders, names))

    given_out = [outcome for outcome in outcomes if outcome in names]
    assert len(given_out) == 1
    assert set(outcomes) - set(names) <= {"namespace.taken", "namespace.lookalike"}
    assert Namespace.objects.filter(kind="organisation").count() == 1
