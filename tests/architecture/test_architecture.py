"""Rules that import-linter cannot see: foreign keys, what a web process loads, what reads pickles."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import Model

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("registry", "workers", "steering_core")
# A foreign key points to an app of the same group or an earlier one.
RANKS = {
    "storage": 0,
    "core": 0,
    "audit": 1,
    "accounts": 2,
    "uploads": 2,
    "datasets": 3,
    "catalog": 4,
    "discovery": 5,
    "serving": 6,
    "presets": 7,
    "runs": 8,
    "trust": 9,
    "webhooks": 10,
    "notifications": 11,
    "market": 12,
    "api": 13,
}
PICKLE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
PICKLE_CALLS = {
    ("torch", "load"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("numpy", "load"),
    ("np", "load"),
}


def our_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if model.__module__.startswith("registry.")]


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
def test_foreign_keys_point_to_the_same_or_an_earlier_app(model: type[Model]) -> None:
    rank = RANKS[model._meta.app_label]
    for field in model._meta.get_fields():
        target = field.related_model
        if field.concrete and isinstance(target, type) and target.__module__.startswith("registry."):
            assert RANKS[target._meta.app_label] <= rank, f"{model._meta.label}.{field.name}"


def test_web_process_loads_no_torch() -> None:
    script = (
        "import sys, time\n"
        "started = time.perf_counter()\n"
        "from registry.wsgi import application\n"
        "from django.urls import get_resolver\n"
        "get_resolver().url_patterns\n"
        "print(f'web process ready after {time.perf_counter() - started:.2f} s')\n"
        "heavy = {'torch', 'transformers'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def source_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_source_reads_and_writes_no_pickle() -> None:
    found = [f"{path.relative_to(ROOT)}: {use}" for path in source_files() for use in pickle_uses(path)]
    assert found == []


def pickle_uses(path: Path) -> list[str]:
    """Imports of pickling modules and calls of readers that build any object."""
    uses = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                uses += [name.name for name in names if name.name.partition(".")[0] in PICKLE_MODULES]
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in PICKLE_MODULES:
                uses.append(module)
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in PICKLE_CALLS:
                uses.append(f"{owner}.{name}")
    return uses


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_source_file_says_what_it_holds_and_stays_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "/migrations/" in str(path) or not text.strip():
        return
    assert ast.get_docstring(ast.parse(text)), "a module starts with a docstring"
    assert len(text.splitlines()) <= 400, "a file has at most 400 lines"
