"""App config."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages."""

    name = "registry.web"
    label = "web"
