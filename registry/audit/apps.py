"""App config."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """What happened."""

    name = "registry.audit"
    label = "audit"
