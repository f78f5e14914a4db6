"""`/{owner}`: a person or an organisation, and what they publish."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from registry.accounts.roles import Role, at_least
from registry.accounts.selectors import namespace_get
from registry.web.avatars import avatar
from registry.web.profiles import profile_of


@require_safe
def profile_page(request: HttpRequest, owner: str) -> HttpResponse:
    """Everybody may know of an owner; each sees their part of what is theirs. `?tab=` chooses the rows."""
    row = namespace_get(viewer=request.user, slug=owner)
    role = row.role  # type: ignore[attr-defined]  # annotated
    context = {
        "owner": row,
        "avatar": avatar(row.slug, is_organisation=row.is_organisation, size=88),
        "profile": profile_of(request, row, role),
        "role": role,
        "is_own": not row.is_organisation and role is not None,
        "may_write": role in at_least(Role.WRITER),
        "may_manage": role in at_least(Role.ADMIN),
    }
    return render(request, "accounts/profile.html", context)
