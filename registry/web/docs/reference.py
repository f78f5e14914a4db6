"""docs/openapi.json as operations that a template shows: parameters, bodies, answers, a command to try."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from registry.core.markdown import render_trusted
from registry.web.docs.site import FOLDER

# Names that the document has for "or nothing".
EMPTY = {"BlankEnum": "empty", "NullEnum": "null"}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value looks like, in words, and the schema that describes it, if it has a name."""

    words: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter of a request or a field of a body."""

    name: str
    where: str
    is_required: bool
    kind: Kind
    about: SafeString


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and what comes with it."""

    status: str
    kind: Kind
    media: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the interface does."""

    id: str
    method: str
    path: str
    title: str
    about: SafeString
    parameters: list[Value]
    media: str
    fields: list[Value]
    answers: list[Answer]
    needs_token: bool
    curl: str


@dataclass(frozen=True, slots=True)
class Tag:
    """Operations on one noun."""

    name: str
    title: str
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Schema:
    """A named shape: its fields, or what else it is."""

    name: str
    about: SafeString
    kind: Kind
    fields: list[Value]


@cache
def tags() -> dict[str, Tag]:
    """The operations by noun, in the document's order."""
    found: dict[str, Tag] = {}
    for path, methods in _document()["paths"].items():
        for method in METHODS:
            if method in methods:
                name = methods[method]["tags"][0]
                tag = found.setdefault(name, Tag(name, name.replace("-", " ").capitalize(), []))
                tag.operations.append(_operation(method, path, methods[method]))
    return found


@cache
def schemas() -> list[Schema]:
    """Every named shape of requests and answers, by name."""
    return [
        Schema(name, _about(schema), _kind(schema), list(_fields(schema)))
        for name, schema in sorted(_document()["components"]["schemas"].items())
    ]


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "openapi.json").read_text(encoding="utf-8"))
    return document


def _operation(method: str, path: str, found: dict[str, Any]) -> Operation:
    about = found.get("description", "")
    # Where a view has no words of its own, its description is its path.
    about = "" if re.fullmatch(r"`[^`]*`", about) else about
    body = (found.get("requestBody") or {}).get("content", {})
    media = next(iter(body), "")
    return Operation(
        id=found["operationId"],
        method=method.upper(),
        path=path,
        title=_title(found["operationId"]),
        about=render_trusted(about).html,
        parameters=[_parameter(parameter) for parameter in found.get("parameters", [])],
        media=media,
        fields=list(_fields(body[media]["schema"])) if media else [],
        answers=[_answer(status, answer) for status, answer in sorted(found["responses"].items())],
        needs_token={} not in found.get("security", [{}]),
        curl=_curl(method, path, body),
    )


def _title(operation_id: str) -> str:
    """`vectors_version_download` -> "Download vectors version"."""
    *nouns, verb = operation_id.split("_")
    is_thing = verb in ("events", "statistics", "facets", "downloads", "report", "lineage", "uses", "similar")
    words = [*nouns, verb] if is_thing else [verb, *nouns]
    return " ".join(words).capitalize()


def _parameter(found: dict[str, Any]) -> Value:
    return Value(
        name=found["name"],
        where=found["in"],
        is_required=bool(found.get("required")),
        kind=_kind(found.get("schema", {})),
        about=_about(found),
    )


def _answer(status: str, found: dict[str, Any]) -> Answer:
    content = found.get("content", {})
    media = next(iter(content), "")
    return Answer(status, _kind(content[media]["schema"]) if media else Kind("nothing"), media)


def _fields(schema: dict[str, Any]) -> Iterator[Value]:
    """The fields of an object, through names and unions."""
    for part in _parts(schema):
        required = part.get("required", [])
        for name, field in part.get("properties", {}).items():
            yield Value(name, "body", name in required, _kind(field), _about(field))


def _parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from _parts(_document()["components"]["schemas"][_name(schema["$ref"])])
        return
    yield schema
    for key in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(key, []):
            yield from _parts(part)


def _kind(schema: dict[str, Any]) -> Kind:
    """A schema in a few words: "list of Run", "text or null", "pass | warn | fail"."""
    if "$ref" in schema:
        name = _name(schema["$ref"])
        return Kind(EMPTY[name]) if name in EMPTY else Kind(name, name)
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            kinds = list(dict.fromkeys(_kind(part) for part in schema[key]))
            schema_name = next((kind.schema for kind in kinds if kind.schema), "")
            return Kind(" or ".join(kind.words for kind in kinds), schema_name)
    if "enum" in schema:
        return Kind(" | ".join("null" if word is None else str(word) for word in schema["enum"]))
    if schema.get("type") == "array":
        kind = _kind(schema.get("items", {}))
        return Kind(f"list of {kind.words}", kind.schema)
    return Kind(_type_words(schema))


def _type_words(schema: dict[str, Any]) -> str:
    types = schema.get("type", "any")
    names = {"string": "text", "boolean": "true or false", "integer": "whole number"}
    words = " or ".join(names.get(name, name) for name in ([types] if isinstance(types, str) else types))
    return f"{words} ({schema['format']})" if "format" in schema else words


def _about(found: dict[str, Any]) -> SafeString:
    text = found.get("description", "")
    # Lists of an enum's values repeat what its kind says.
    return render_trusted(text).html if text and not text.startswith("* `") else mark_safe("")


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _curl(method: str, path: str, body: dict[str, Any]) -> str:
    """A command that makes the request; what is in capitals is to be filled in."""
    address = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), path)
    lines = [f"curl {'' if method == 'get' else f'-X {method.upper()} '}{settings.PUBLIC_URL}{address}"]
    lines.append('-H "Authorization: Bearer $BEARING_TOKEN"')
    media = next(iter(body), "")
    if media == "application/json":
        example = json.dumps(body[media].get("example", {}), ensure_ascii=False)
        lines += ['-H "Content-Type: application/json"', f"-d '{example}'"]
    elif media == "multipart/form-data":
        for field in _fields(body[media]["schema"]):
            if field.is_required or field.name == "file":
                value = "@FILE" if "binary" in field.kind.words else field.name.upper()
                lines.append(f"-F {field.name}={value}")
    elif media:
        lines.append("--data-binary @FILE")
    return " \\\n  ".join(lines)
