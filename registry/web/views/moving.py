"""`/settings/transfer`: rename a vector or a data set, or give it to another owner. Old names lead to it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from registry.accounts.models import User
from registry.accounts.roles import Role, at_least
from registry.accounts.selectors import membership_list
from registry.catalog.transfers import vector_move
from registry.core.errors import RegistryError
from registry.datasets.transfers import dataset_move
from registry.web.forms import NAME_HELP, PageForm
from registry.web.http import user_of

KINDS: dict[str, Callable[..., Any]] = {"vector": vector_move, "dataset": dataset_move}


class MoveForm(PageForm):
    """What to move, and where to."""

    kind = forms.ChoiceField(label="What", choices=[("vector", "A vector"), ("dataset", "A dataset")])
    name = forms.CharField(label="Its name now", max_length=129, help_text="With the owner: acme/formality.")
    to_owner = forms.ChoiceField(label="Owner from then on", help_text="Those whose admin you are.")
    to_name = forms.CharField(
        label="Name from then on", required=False, max_length=64, help_text=f"{NAME_HELP} Empty keeps it."
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = membership_list(user=user).filter(role__in=at_least(Role.ADMIN))
        owners = [(row.namespace.slug, row.namespace.slug) for row in rows]
        self.fields["to_owner"].choices = owners  # type: ignore[attr-defined]  # it is a ChoiceField


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def transfer_page(request: HttpRequest) -> HttpResponse:
    """The form; `?kind=` and `?name=` fill it in, for links from other pages."""
    user = user_of(request)
    if request.method != "POST":
        start = {key: request.GET.get(key, "")[:129] for key in ("kind", "name")}
        return render(request, "accounts/transfer.html", {"form": MoveForm(initial=start, user=user)})
    form = MoveForm(request.POST, user=user)
    if form.is_valid():
        given = form.cleaned_data
        owner, _, name = given["name"].strip().rpartition("/")
        try:
            row = KINDS[given["kind"]](
                actor=user,
                owner=owner or user.username,
                name=name,
                to_owner=given["to_owner"],
                to_name=given["to_name"].strip(),
            )
        except RegistryError as error:
            form.add_error("name" if error.http_status in (403, 404) else None, error.message)
        else:
            messages.success(request, f"It is {row} now; {given['name']} leads there for good.")
            return redirect(f"web:{given['kind']}", row.owner.slug, row.name)
    return render(request, "accounts/transfer.html", {"form": form}, status=422)
