"""docs/evaluation.md is held against the code: every metric, question, tier and threshold."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import steering_core.evaluation
from steering_core.evaluation.evidence import MIN_CLUSTERS, MIN_ITEMS, Definition
from steering_core.evaluation.families import FAMILIES
from steering_core.spec import BUDGETS, POOLINGS, STRENGTHS, TIERS

PAGE = Path("docs/evaluation.md").read_text(encoding="utf-8")
# What is asked of updates and of safety has pages of its own.
PAGES = PAGE + "".join(Path(f"docs/{n}.md").read_text(encoding="utf-8") for n in ("safety", "model-updates"))


def definitions() -> dict[str, Definition]:
    """Every metric that a module of the package defines."""
    found: dict[str, Definition] = {}
    package = steering_core.evaluation
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        values = vars(importlib.import_module(module.name)).values()
        found |= {value.id: value for value in values if isinstance(value, Definition)}
    return found


DEFINITIONS = definitions()


def test_evaluation_page_has_the_definitions_of_the_code():
    assert {"auroc", "effect", "window", "prompting", "harmful_compliance", "blind"} <= set(DEFINITIONS)


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_evaluation_page_describes_the_metric_under_its_question(name):
    headings = dict(re.findall(r"^### `(\w+)`: (.+)$", PAGES, re.MULTILINE))

    assert headings[name].lower() == DEFINITIONS[name].question.lower()


@pytest.mark.parametrize("name", sorted(n for n, d in DEFINITIONS.items() if d.gate))
def test_evaluation_page_gives_the_thresholds_of_a_gating_metric(name):
    rows = re.findall(rf"^\| `{name}` \| (.+ \| .+) \|$", PAGES, re.MULTILINE)
    thresholds = set(re.findall(r"\d\.\d+", DEFINITIONS[name].rule))

    written = [set(re.findall(r"\d\.\d+", row)) for row in rows]
    assert any(thresholds <= found for found in written)


def test_evaluation_page_names_every_family_and_gate():
    for family in FAMILIES:
        assert f"| `{family.name}` |" in PAGE
    for definition in DEFINITIONS.values():
        assert definition.gate is None or f"`{definition.gate}`" in PAGE


def test_evaluation_page_tiers_are_those_of_the_code():
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:[\d,]+ \| )+[\d,]+) \|$", PAGE, re.MULTILINE))

    for name in ("n_prompts", "n_items", "random_controls", "bootstrap", "max_new_tokens", "neutral_texts",
                 "capability_items", "safety_prompts"):  # fmt: skip
        written = [int(number.replace(",", "")) for number in rows[name].split(" | ")]
        assert written == [getattr(BUDGETS[tier], name) for tier in TIERS]
    assert ", ".join(f"{s:g}" for s in STRENGTHS) in PAGE
    assert set(re.findall(r"^\| `(\w+_\w+)` \| the ", PAGE, re.MULTILINE)) == set(POOLINGS) - {"auto"}
    assert f"fewer than {MIN_ITEMS} items or {MIN_CLUSTERS} groups" in PAGE
