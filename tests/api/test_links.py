"""The addresses that objects carry lead to pages and operations that are there."""

from django.conf import settings

from tests.api.conftest import Api
from tests.factories import make_vector_version


def test_every_page_that_an_object_names_is_there(owner: Api) -> None:
    make_vector_version(owner=owner.user)
    run = owner.get("/runs").json()["items"][0]
    paths = (
        "/vectors/acme/formality",
        "/vectors/acme/formality/versions/latest",
        "/datasets/acme/tone-pairs",
        "/datasets/acme/tone-pairs/versions/1",
        f"/runs/{run['id']}",
    )
    owner.client.force_login(owner.user)
    for path in paths:
        url = owner.get(path).json()["url"]
        page = owner.client.get(url.removeprefix(settings.PUBLIC_URL))
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8"), url


def test_download_url_of_a_draft_and_of_a_release_is_there(owner: Api) -> None:
    for state in ("extracted", "published"):
        row = make_vector_version(owner=owner.user, name=state, state=state)
        url = owner.get(f"/versions/{row.pk}").json()["download_url"]
        assert owner.client.get(url.removeprefix(settings.PUBLIC_URL)).status_code == 200
