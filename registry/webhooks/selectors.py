"""Read webhooks and what was delivered to them: for admins of the namespace, to others they do not exist."""

from django.db.models import QuerySet

from registry.accounts.access import namespace_for
from registry.accounts.models import Membership, User
from registry.accounts.roles import Role, at_least
from registry.core.errors import NotFoundError
from registry.core.naming import row_id
from registry.webhooks.models import Delivery, Webhook


def webhook_list(*, viewer: User, namespace: str = "") -> QuerySet[Webhook]:
    """The webhooks of a namespace, newest first; of one's own where none is named.

    Raises:
        NotFoundError, NotAllowedError: there is none, or the viewer is no admin of it.
    """
    owner = namespace_for(viewer, namespace, Role.ADMIN)
    return Webhook.objects.filter(namespace=owner).select_related("namespace")


def webhook_get(*, viewer: User, webhook_id: str) -> Webhook:
    """One webhook.

    Raises:
        NotFoundError: unknown, or the viewer is no admin of its namespace.
    """
    mine = Membership.objects.filter(user=viewer, role__in=at_least(Role.ADMIN)).values("namespace")
    rows = Webhook.objects.filter(namespace__in=mine).select_related("namespace")
    row = rows.filter(pk=row_id(webhook_id)).first()
    if row is None:
        raise no_webhook()
    return row


def no_webhook() -> NotFoundError:
    """What is said where there is no such webhook, and to whoever is no admin of its namespace."""
    return NotFoundError("there is no such webhook of yours", code="webhook.not_found")


def delivery_list(*, webhook: Webhook, state: str = "") -> QuerySet[Delivery]:
    """The deliveries of a webhook with their attempts, newest first."""
    rows = Delivery.objects.filter(webhook=webhook).prefetch_related("attempts")
    return rows.filter(state=state) if state else rows
