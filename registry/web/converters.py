"""Parts of an address that are names: what does not fit is no page, and no query is made for it."""

from django.urls import register_converter

from registry.core.naming import REFERENCE, SLUG


class SlugConverter:
    """The name of an owner, a dataset or a vector."""

    regex = SLUG

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class ReferenceConverter(SlugConverter):
    """`latest`, an alias, an exact version, or a digest."""

    regex = REFERENCE


register_converter(SlugConverter, "name")
register_converter(ReferenceConverter, "reference")
