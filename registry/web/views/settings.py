"""`/settings/`: one's own profile, and what becomes of an account."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from registry.accounts.organisations import profile_update
from registry.accounts.selectors import membership_list, namespace_get
from registry.core.errors import RegistryError
from registry.web.avatars import avatar
from registry.web.forms_accounts import WordsForm
from registry.web.http import user_of


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def profile_edit(request: HttpRequest) -> HttpResponse:
    """The words on one's own profile."""
    user = user_of(request)
    row = namespace_get(viewer=user, slug=user.username)
    if request.method == "POST":
        form = WordsForm(request.POST)
        if form.is_valid() and _saved(request, form):
            messages.success(request, "Your profile is saved.")
            return redirect("web:settings")
        status = 422
    else:
        form, status = WordsForm(initial=words_of(row)), 200
    context = {"form": form, "owner": row, "avatar": avatar(row.slug, size=72)}
    return render(request, "accounts/settings.html", context, status=status)


@login_required
@never_cache
@require_safe
def account_close(request: HttpRequest) -> HttpResponse:
    """What stays and what goes, and how: names are for good, so nobody deletes a namespace with a click."""
    organisations = [row for row in membership_list(user=user_of(request)) if row.namespace.is_organisation]
    return render(request, "accounts/close.html", {"memberships": organisations})


def words_of(row: object) -> dict[str, str]:
    """The fields of a `WordsForm` as a namespace has them."""
    return {name: getattr(row, name) for name in ("title", "description", "website")}


def _saved(request: HttpRequest, form: WordsForm) -> bool:
    try:
        profile_update(actor=user_of(request), **form.cleaned_data)
    except RegistryError as error:
        form.refuse(error)
        return False
    return True
