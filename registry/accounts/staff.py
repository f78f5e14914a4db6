"""The site of the staff pages: behind the same sign-in as all others, so that its limits on guessing hold,
and in production behind a second factor.
"""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect


class StaffPages(AdminSite):
    """For staff who have set up a second factor, where settings ask for one."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not _lacks_second_factor(request)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.user.is_authenticated and request.user.is_staff and _lacks_second_factor(request):
            messages.warning(request, "The staff pages take a second factor. Set one up, then go back there.")
            return redirect("mfa_index")
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer


def _lacks_second_factor(request: HttpRequest) -> bool:
    return settings.STAFF_NEEDS_SECOND_FACTOR and not is_mfa_enabled(request.user)
