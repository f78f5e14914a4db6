"""How bodies are read: strict JSON of bounded size, and forms whose files are counted while they arrive."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser

from registry.api.errors import TooLargeError, UnsupportedError
from steering_core.errors import FormatError
from steering_core.spec import parse_json

Context = Mapping[str, Any]


class JsonBody(BaseParser):
    """UTF-8 JSON without duplicate keys or NaN, at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Context | None = None
    ) -> Any:
        refuse_encoded(parser_context)
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise TooLargeError(f"the body is larger than {limit} bytes")
        try:
            return parse_json(data.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ParseError(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
        except FormatError as error:
            raise ParseError(error.message) from error


class RawBody(BaseParser):
    """The bytes themselves, no more than one part of an upload through this interface has."""

    media_type = "application/octet-stream"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Context | None = None
    ) -> Any:
        refuse_encoded(parser_context)
        limit = settings.UPLOAD_PART_BYTES["app"]
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise TooLargeError(f"the part is larger than {limit:,} bytes; GET the upload to see its parts")
        return data


class UploadForm(MultiPartParser):
    """A multipart form. An upload past the limit is cut by `core.uploads` and refused here."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Context | None = None
    ) -> Any:
        refuse_encoded(parser_context)
        form = super().parse(stream, media_type=media_type, parser_context=parser_context)
        context = parser_context or {}
        if getattr(context["request"]._request, "upload_was_cut", False):
            megabytes = settings.UPLOAD_MAX_BYTES / (1024 * 1024)
            raise TooLargeError(
                f"the upload is larger than {megabytes:.0f} MiB; send a smaller file",
                code=context["view"].too_large_code,
            )
        return form


def refuse_encoded(parser_context: Context | None) -> None:
    """A compressed body could grow without bound, and its digest would be another.

    Raises:
        UnsupportedError: the body has a Content-Encoding.
    """
    encoding = (parser_context or {})["request"].headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedError(
            "send the body as it is, without Content-Encoding", code="request.content_encoding"
        )
