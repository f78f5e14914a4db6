"""App config."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The REST interface."""

    name = "registry.api"
    label = "api"

    def ready(self) -> None:
        # Spectacular finds the token scheme once the module that declares it is imported.
        import registry.api.schema  # noqa: F401
