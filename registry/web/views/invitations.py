"""`/invitations/{text}`: the page that the link of an invitation leads to."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from registry.accounts.invitations import invitation_accept, invitation_get
from registry.web.http import user_of


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_page(request: HttpRequest, text: str) -> HttpResponse:
    """Show the invitation to whom it is for; a POST accepts it."""
    if request.method == "POST":
        member = invitation_accept(actor=user_of(request), text=text)
        messages.success(request, f"You are a member of {member.namespace} now, as {member.role}.")
        return redirect("web:profile", member.namespace.slug)
    invitation = invitation_get(viewer=user_of(request), text=text)
    return render(request, "accounts/invitation.html", {"invitation": invitation})
