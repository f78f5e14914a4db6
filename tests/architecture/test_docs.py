"""What the Markdown pages point to is there: files, headings, modules and names, make targets, variables."""

import re
from functools import cache
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
OURS = ("registry", "workers", "steering_core", "templates", "static", "tests", "docs", "examples", "deploy")
# Settings modules read the environment when they are loaded; the other is the code of an error.
NOT_TO_IMPORT = ("registry.settings.", "registry.error")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def words(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def in_backticks(page: Path) -> list[str]:
    without_blocks = re.sub(r"^```.*?^```", "", words(page), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`\n]+)`", without_blocks)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", words(page), flags=re.MULTILINE)
    given = {found[1] for heading in headings if (found := re.search(r"\{#([a-z-]+)\}$", heading))}
    return given | {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_page_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", words(page)):
        # Addresses of the service itself are followed by tests/web/test_docs_pages.py.
        if re.match(r"https?:|mailto:|/", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_page_names_modules_and_functions_that_exist(page: Path) -> None:
    for text in in_backticks(page):
        name = re.match(r"(?:registry|workers|steering_core)(?:\.\w+)+", text)
        if name and not name[0].startswith(NOT_TO_IMPORT):
            resolve_name(name[0])


@every_page
def test_page_names_files_and_folders_that_exist(page: Path) -> None:
    for path in re.findall(rf"(?<![\w./-])(?:{'|'.join(OURS)})/[\w./-]*\w", words(page)):
        assert (ROOT / path).exists(), path


@every_page
def test_page_names_make_targets_that_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, flags=re.MULTILINE))
    named = re.findall(r"(?:`|^| )make ([a-z][a-z-]*)(?=`| [A-Z]+=|$)", words(page), flags=re.MULTILINE)
    assert set(named) <= targets


def test_operations_page_has_every_variable_that_the_settings_read() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "registry/settings").glob("*.py"))
    readers = "required|optional|listed|seconds|port|rate|chosen|environ\\.get"
    read = set(re.findall(rf'(?:{readers})\("([A-Z0-9_]+)"', source))
    rows = re.findall(r"^\| (`[A-Z0-9_`, ]+`) \|", words(ROOT / "docs/operations.md"), flags=re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"[A-Z0-9_]+", row)}
    assert documented - {"DJANGO_SETTINGS_MODULE", "OMP_NUM_THREADS"} == read


def test_list_of_decisions_has_every_page() -> None:
    folder = ROOT / "docs/adr"
    pages = {path.name for path in folder.glob("0*.md")}
    assert set(re.findall(r"\]\((0[^)]+)\)", words(folder / "README.md"))) == pages
