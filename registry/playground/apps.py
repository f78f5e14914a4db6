"""App config."""

from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    """The mixer's requests; it has no models, since all that it knows lives in Valkey for some minutes."""

    name = "registry.playground"
    label = "playground"
