"""`/organisations/…`: one's own, a new one, its words, its members and the ways into it. Teams have a module,
and everybody sees the profile at `/{slug}`.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from registry.accounts.invitations import VALID_FOR, invitation_create, invitation_link, invitation_revoke
from registry.accounts.models import Namespace
from registry.accounts.organisations import (
    member_remove,
    member_update,
    organisation_create,
    organisation_update,
    roles_given_by,
)
from registry.accounts.roles import Role
from registry.accounts.selectors import (
    invitation_list,
    member_list,
    membership_list,
    organisation_get,
)
from registry.core.errors import NotAllowedError, RegistryError
from registry.web.acting import act
from registry.web.avatars import avatar
from registry.web.forms_accounts import InviteForm, OrganisationForm, WordsForm
from registry.web.http import as_text, user_of
from registry.web.paging import paginate
from registry.web.views.settings import words_of

INVITATIONS_SHOWN = 50


@login_required
@never_cache
@require_safe
def organisation_index(request: HttpRequest) -> HttpResponse:
    """Those that the user belongs to."""
    rows = [row for row in membership_list(user=user_of(request)) if row.namespace.is_organisation]
    shown = [(row, avatar(row.namespace.slug, is_organisation=True)) for row in rows]
    return render(request, "organisations/list.html", {"memberships": shown})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_new(request: HttpRequest) -> HttpResponse:
    """Found one."""
    form = OrganisationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            row = organisation_create(actor=user_of(request), **form.cleaned_data)
        except RegistryError as error:
            form.refuse(error)
        else:
            messages.success(request, f"{row} is yours. Invite those who belong to it.")
            return redirect("web:organisation_members", row.slug)
    return render(request, "organisations/new.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
@never_cache
@require_safe
def members_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Who belongs to it, for its members; with the invitations, for its admins."""
    return _members(request, slug)


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def member_invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Invite somebody. The answer shows the link; nothing else ever does."""
    if request.method != "POST":
        return redirect("web:organisation_members", slug)
    form = InviteForm(request.POST, roles=list(Role))
    if form.is_valid():
        try:
            row, text = invitation_create(actor=user_of(request), slug=slug, **form.cleaned_data)
        except RegistryError as error:
            if error.http_status in (403, 404):
                raise
            form.refuse(error)
        else:
            return _members(request, slug, made=(row.email, invitation_link(text)))
    return _members(request, slug, form=form)


@login_required
@require_POST
def invitation_drop(request: HttpRequest, slug: str, invitation_id: uuid.UUID) -> HttpResponse:
    """Take an invitation back."""
    return act(
        request,
        lambda: invitation_revoke(actor=user_of(request), slug=slug, invitation_id=as_text(invitation_id)),
        said="The invitation is revoked; its link works no more.",
        back=reverse("web:organisation_members", args=[slug]),
    )


@login_required
@require_POST
def member_role(request: HttpRequest, slug: str, username: str) -> HttpResponse:
    """Give a member another role."""
    role = request.POST.get("role", "")
    return act(
        request,
        lambda: member_update(actor=user_of(request), slug=slug, username=username, role=role),
        said=f"{username} is {role} now.",
        back=reverse("web:organisation_members", args=[slug]),
    )


@login_required
@require_POST
def member_drop(request: HttpRequest, slug: str, username: str) -> HttpResponse:
    """Take a member out, or leave."""
    user = user_of(request)
    leaves = username == user.username
    members = reverse("web:organisation_members", args=[slug])
    answer = act(
        request,
        lambda: member_remove(actor=user, slug=slug, username=username),
        said=f"You left {slug}." if leaves else f"{username} is no member any more.",
        back=members,
    )
    is_out = leaves and not organisation_get(viewer=user, slug=slug).role  # type: ignore[attr-defined]  # annotated
    return redirect("web:organisation_list") if is_out else answer


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def organisation_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """The words around it; what cannot be changed is said there too."""
    row = managed(request, slug)
    form = WordsForm(request.POST) if request.method == "POST" else WordsForm(initial=words_of(row))
    if form.is_valid():
        try:
            organisation_update(actor=user_of(request), slug=slug, **form.cleaned_data)
        except RegistryError as error:
            form.refuse(error)
        else:
            messages.success(request, f"The words around {slug} are saved.")
            return redirect("web:organisation_settings", slug)
    context = {"form": form, **frame_of(row)}
    return render(request, "organisations/settings.html", context, status=422 if form.is_bound else 200)


def managed(request: HttpRequest, slug: str, least: Role = Role.ADMIN) -> Namespace:
    """An organisation for a viewer who holds a role in it.

    Raises:
        NotFoundError: there is none.
        NotAllowedError: the viewer's role is lower.
    """
    row = organisation_get(viewer=request.user, slug=slug)
    role = row.role  # type: ignore[attr-defined]  # annotated
    if role is None or Role(role).rank < least.rank:
        raise NotAllowedError(
            f"it takes the role {least.value} in {slug} to see this; ask one of its admins",
            code="access.role_needed",
        )
    return row


def frame_of(row: Namespace) -> dict[str, Any]:
    """What the head of each of an organisation's pages shows."""
    role = Role(row.role)  # type: ignore[attr-defined]  # annotated
    return {
        "organisation": row,
        "role": role,
        "is_admin": role.rank >= Role.ADMIN.rank,
        "avatar": avatar(row.slug, is_organisation=True, size=48),
    }


def _members(
    request: HttpRequest, slug: str, form: InviteForm | None = None, made: tuple[str, str] | None = None
) -> HttpResponse:
    row = managed(request, slug, Role.READER)
    frame = frame_of(row)
    given = roles_given_by(frame["role"])
    page = paginate(request, member_list(viewer=user_of(request), slug=slug))
    context = {
        **frame,
        "page": page,
        # An admin changes those below; an owner all. Everybody may step down.
        "members": [(member, Role(member.role) in given) for member in page.items],
        "roles": given,
        "form": form or InviteForm(roles=given),
        "made": made,
        "days_valid": VALID_FOR.days,
        "invitations": [],
    }
    if frame["is_admin"]:
        rows = invitation_list(viewer=user_of(request), slug=slug).filter(accepted_at=None, revoked_at=None)
        context["invitations"] = list(rows[:INVITATIONS_SHOWN])
    return render(request, "organisations/members.html", context, status=422 if form else 200)
