"""Serializers describe the wire: input is checked by shape here, and by meaning in the services."""

from typing import Any

from rest_framework import serializers

from registry.accounts.access import Visibility
from registry.catalog.states import Domain


class Body(serializers.Serializer[Any]):
    """A request body. A field that is not known is refused, since it is most likely a mistyped one."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [f"unknown field; known are {known}"] for name in unknown}
            )
        return dict(value)


class DomainField(serializers.ChoiceField):
    """On which shelf of the catalog it stands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Domain.choices, **{"allow_blank": True, **options})


class VisibilityField(serializers.ChoiceField):
    """Who sees it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Visibility.choices, **options)
