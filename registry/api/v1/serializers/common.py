"""Serializers describe the wire: input is checked by shape here, and by meaning in the services."""

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from registry.accounts.access import Visibility
from registry.catalog.states import Domain


class Body(serializers.Serializer[Any]):
    """A request body. A field that is not known is refused, since it is most likely a mistyped one; so is a
    number where a text is expected, of which the rest framework would make a text.
    """

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (
            numbers := [n for n, f in self.fields.items() if _is_number(f, data.get(n))]
        ):
            raise serializers.ValidationError(
                {name: ["a text is expected, not a number"] for name in numbers}
            )
        value = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [f"unknown field; known are {known}"] for name in unknown}
            )
        return dict(value)


def _is_number(field: serializers.Field[Any, Any, Any, Any], value: Any) -> bool:
    if isinstance(field, serializers.ListField):
        return isinstance(value, list) and any(_is_number(field.child, one) for one in value)
    return isinstance(field, serializers.CharField) and isinstance(value, int | float)


class MomentField(serializers.DateTimeField):
    """A moment that is asked for; of those that are out of reach in UTC the nearest one that is not."""

    def enforce_timezone(self, value: datetime) -> datetime:
        try:
            return super().enforce_timezone(value)
        except serializers.ValidationError:
            return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)


class DomainField(serializers.ChoiceField):
    """On which shelf of the catalog it stands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Domain.choices, **{"allow_blank": True, **options})


class VisibilityField(serializers.ChoiceField):
    """Who sees it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=Visibility.choices, **options)
