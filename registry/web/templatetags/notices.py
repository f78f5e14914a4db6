"""The bell in the header."""

from typing import Any

from django import template

from registry.notifications.selectors import MOST_COUNTED, unread_count

register = template.Library()


@register.inclusion_tag("components/bell.html", takes_context=True)
def bell(context: dict[str, Any]) -> dict[str, Any]:
    """The link to one's notifications with how many are unread; one small query."""
    request = context.get("request")
    count = unread_count(user=request.user) if request and request.user.is_authenticated else 0
    return {
        "count": count,
        "shown": f"{MOST_COUNTED - 1}+" if count >= MOST_COUNTED else str(count),
        "is_here": bool(request and request.path.startswith("/notifications/")),
    }
