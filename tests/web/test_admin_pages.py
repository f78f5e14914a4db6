"""The staff pages: who gets in, by which door, and what they can touch."""

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from registry.accounts.models import User
from tests.factories import make_user, make_vector_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user("operator", is_staff=True, is_superuser=True))
    return client


def test_admin_without_signing_in_leads_to_the_ordinary_sign_in(client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")
    response = client.post("/admin/login/", {"username": "acme", "password": "a-good-password"})
    assert response["Location"].startswith("/accounts/login/")


def test_admin_for_a_user_who_is_no_staff_is_refused(signed_in: Client) -> None:
    assert signed_in.get("/admin/", follow=True).status_code == 403


OURS = [model for model in admin.site._registry if model.__module__.startswith("registry.")]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_admin_lists_rows_and_adds_none_but_users(staff: Client, model: type[Model]) -> None:
    make_vector_version()
    address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    assert staff.get(address).status_code == 200
    assert staff.get(f"{address}add/").status_code == (200 if model is User else 403)


def test_admin_shows_a_version_without_a_way_to_change_it(staff: Client) -> None:
    address = f"/admin/catalog/vectorversion/{make_vector_version().pk}"
    assert staff.get(f"{address}/change/").status_code == 200
    assert staff.post(f"{address}/change/", {"state": "draft"}).status_code == 403
    assert staff.post(f"{address}/delete/", {"post": "yes"}).status_code == 403


def test_admin_keeps_usernames(staff: Client) -> None:
    user = make_user()
    page = staff.get(f"/admin/accounts/user/{user.pk}/change/").content.decode()
    assert 'name="email"' in page
    assert 'name="username"' not in page
