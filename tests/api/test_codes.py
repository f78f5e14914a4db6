"""docs/api.md lists every code that the service raises."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from registry.api.errors import CODES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text()
# Calls that take a code by position.
BY_POSITION = {"problem": 1, "run_end": 3}


def codes_of(path: Path) -> Iterator[str]:
    """String literals that are given as a code: `code=…`, `*_code = …`, or by position."""
    for node in ast.walk(ast.parse(path.read_text())):
        given: list[ast.expr] = []
        if isinstance(node, ast.Call):
            given += [word.value for word in node.keywords if word.arg == "code"]
            place = BY_POSITION.get(getattr(node.func, "id", ""), len(node.args))
            given += node.args[place : place + 1]
        elif isinstance(node, ast.Assign) and str(getattr(node.targets[0], "id", "")).endswith("_code"):
            given.append(node.value)
        yield from (str(value.value) for value in given if isinstance(value, ast.Constant))


def test_every_code_raised_in_the_service_is_documented() -> None:
    raised = {code for path in (ROOT / "registry").rglob("*.py") for code in codes_of(path)} | set(
        CODES.values()
    )
    assert {"version.taken", "internal", "run.poison", "blob.corrupt", "dataset.file_too_large"} <= raised
    assert sorted(code for code in raised if f"`{code}`" not in TEXT) == []


def test_every_documented_code_stands_in_the_code() -> None:
    source = "".join(
        path.read_text()
        for part in ("registry", "workers", "steering_core")
        for path in (ROOT / part).rglob("*.py")
    )
    table = TEXT.partition("### Codes")[2]
    documented = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", table))
    assert sorted(code for code in documented if f'"{code}"' not in source) == []


def test_every_path_is_documented() -> None:
    from registry.api.v1.urls import urlpatterns

    paths = [re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in urlpatterns if pattern.name]
    table = TEXT.partition("## Paths")[2].partition("## Lists")[0]
    ends = {path.rpartition("/")[2] for path in paths if not path.endswith("}")}
    assert sorted(end for end in ends if end not in table and end != "openapi.json") == []
