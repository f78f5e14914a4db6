"""`/organisations/{slug}/teams`: teams, who is in them, and the roles that they hold on single names."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.accounts.roles import Role
from registry.accounts.selectors import member_list, team_get, team_list
from registry.accounts.teams import (
    grant_remove,
    grant_set,
    team_create,
    team_delete,
    team_member_add,
    team_member_remove,
    team_rename,
)
from registry.core.errors import RegistryError
from registry.web.acting import act
from registry.web.forms import PageForm
from registry.web.forms_accounts import GrantForm, TeamForm, TeamMemberForm
from registry.web.http import user_of
from registry.web.paging import paginate
from registry.web.views.organisations import frame_of, managed

# Of an organisation that has more, the others are added through REST.
MEMBERS_OFFERED = 500


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def teams_page(request: HttpRequest, slug: str) -> HttpResponse:
    """The teams, for members; admins make new ones."""
    row = managed(request, slug, Role.READER)
    form = TeamForm(request.POST if request.method == "POST" else None)
    if form.is_bound and _did(form, lambda: _make(request, slug, form)):
        return redirect("web:organisation_team", slug, form.cleaned_data["name"])
    page = paginate(request, team_list(viewer=user_of(request), slug=slug))
    context = {**frame_of(row), "page": page, "form": form}
    return render(request, "organisations/teams.html", context, status=422 if form.is_bound else 200)


@login_required
@never_cache
@require_safe
def team_page(request: HttpRequest, slug: str, team: str) -> HttpResponse:
    """One team."""
    return _team(request, slug, team)


@login_required
@require_POST
def team_change(request: HttpRequest, slug: str, team: str, what: str) -> HttpResponse:
    """Add a member or a grant, or rename the team; a refusal shows at the field it is about."""
    actor = user_of(request)
    row = managed(request, slug)
    names = [member.user.username for member in member_list(viewer=actor, slug=row.slug)[:MEMBERS_OFFERED]]
    form: PageForm
    if what == "members":
        form = TeamMemberForm(request.POST, usernames=names, auto_id="member_%s")
        work: Callable[..., Any] = team_member_add
    elif what == "grants":
        form, work = GrantForm(request.POST, auto_id="grant_%s"), grant_set
    else:
        form, work = TeamForm(request.POST, auto_id="team_%s"), team_rename
    if _did(form, lambda: work(actor=actor, slug=slug, team=team, **form.cleaned_data)):
        return redirect("web:organisation_team", slug, form.cleaned_data["name"] if what == "name" else team)
    return _team(request, slug, team, {what: form})


@login_required
@require_POST
def team_end(request: HttpRequest, slug: str, team: str) -> HttpResponse:
    """End a team."""
    return act(
        request,
        lambda: team_delete(actor=user_of(request), slug=slug, team=team),
        said=f"The team {team} is gone; its members stay in {slug}.",
        back=reverse("web:organisation_teams", args=[slug]),
    )


@login_required
@require_POST
def team_member_drop(request: HttpRequest, slug: str, team: str, username: str) -> HttpResponse:
    """Take somebody out of a team."""
    return act(
        request,
        lambda: team_member_remove(actor=user_of(request), slug=slug, team=team, username=username),
        said=f"{username} is not in {team} any more.",
        back=reverse("web:organisation_team", args=[slug, team]),
    )


@login_required
@require_POST
def grant_drop(request: HttpRequest, slug: str, team: str, name: str) -> HttpResponse:
    """Take a team's role on a name away."""
    return act(
        request,
        lambda: grant_remove(actor=user_of(request), slug=slug, team=team, name=name),
        said=f"{team} has no role on {name} any more.",
        back=reverse("web:organisation_team", args=[slug, team]),
    )


def _team(
    request: HttpRequest, slug: str, team: str, refused: dict[str, PageForm] | None = None
) -> HttpResponse:
    row = managed(request, slug, Role.READER)
    found = team_get(viewer=user_of(request), slug=slug, name=team)
    inside = sorted(member.username for member in found.members.all())
    rows = member_list(viewer=user_of(request), slug=slug)[:MEMBERS_OFFERED]
    others = [member.user.username for member in rows if member.user.username not in set(inside)]
    refused = refused or {}
    context = {
        **frame_of(row),
        "team": found,
        "inside": inside,
        "grants": list(found.grants.all()),
        "others": others,
        "member_form": refused.get("members") or TeamMemberForm(usernames=others, auto_id="member_%s"),
        "grant_form": refused.get("grants") or GrantForm(auto_id="grant_%s"),
        "name_form": refused.get("name") or TeamForm(initial={"name": found.name}, auto_id="team_%s"),
    }
    return render(request, "organisations/team.html", context, status=422 if refused else 200)


def _make(request: HttpRequest, slug: str, form: PageForm) -> None:
    team_create(actor=user_of(request), slug=slug, name=form.cleaned_data["name"])


def _did(form: PageForm, work: Callable[[], Any]) -> bool:
    """Whether a valid form was taken by the service; else it says why not."""
    if not form.is_valid():
        return False
    try:
        work()
    except RegistryError as error:
        if error.http_status == 403:
            raise
        form.refuse(error)
        return False
    return True
