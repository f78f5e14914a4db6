"""The quality report of a dataset as a page shows it. The numbers come from `steering_core.pairs.checks`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.datasets.flags import ADVICE, FLAGS, ROWS_FOR
from registry.datasets.states import EditKind
from registry.web.errors import sentence
from registry.web.numbers import percent, plain
from steering_core.pairs.advice import FEW_PAIRS
from steering_core.pairs.limits import DEFAULT_LIMITS

Json = Mapping[str, Any]
SHOWN_ROWS = 8
# About as many as most concepts need, see `steering_core.pairs.needed`.
NARROW_PAIRS = 100
BATCH_WORDS: dict[str, str] = {EditKind.EXCLUDE: "Leave all out", EditKind.SWAP: "Swap all"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One number with its name, and a remark."""

    label: str
    value: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong, in which rows, and what to do.

    Attributes:
        tone: `fail` stands in the way of saving, `warn` misleads a measurement, `note` is good to know.
        flag: by which rows can be listed, where `n_rows` is not 0.
        batch: edits that may be made to all of them, with what the button says.
    """

    code: str
    message: str
    tone: str
    fix: str = ""
    flag: str = ""
    rows: tuple[int, ...] = ()
    n_rows: int = 0
    batch: tuple[tuple[str, str], ...] = ()

    @property
    def n_more(self) -> int:
        """Rows that are not named one by one."""
        return self.n_rows - len(self.rows)


@dataclass(frozen=True, slots=True)
class QualityView:
    """Counts, the three splits in percent of the usable pairs, what is wrong, and the domains by size."""

    facts: tuple[Fact, ...]
    splits: tuple[Fact, ...]
    seed: str
    issues: tuple[Issue, ...]
    domains: tuple[tuple[str, int], ...]
    n_usable: int
    is_refused: bool
    wanted: str

    @property
    def enough(self) -> int:
        """How many pairs make a good start: the end of the bar that shows how far one is."""
        return FEW_PAIRS

    @property
    def n_warnings(self) -> int:
        """How much is wrong, notes aside."""
        return sum(issue.tone != "note" for issue in self.issues)


def view_quality(report: Json, flags: Mapping[str, Sequence[int]] | None = None) -> QualityView:
    """The report of a dataset version or of an upload; `flags` name the rows, where they are known."""
    splits, groups = report.get("splits") or {}, report.get("groups") or {}
    usable = int(report.get("n_usable") or 0)
    return QualityView(
        facts=tuple(_facts(report, groups, usable)),
        splits=tuple(
            Fact(label, f"{int(splits.get(name) or 0):,}", remark)
            for name, label, remark in (
                ("train", "Train", "the direction comes from these"),
                ("select", "Select", "block, pooling and strength are chosen on these"),
                ("test", "Test", "every number of the report"),
            )
        ),
        seed=str(splits.get("seed") or ""),
        issues=tuple(_issues(report, flags or {})),
        domains=tuple(sorted((report.get("domains") or {}).items(), key=lambda item: (-item[1], item[0]))),
        n_usable=usable,
        is_refused="refusal" in report,
        wanted=_wanted(report, usable),
    )


def _issues(report: Json, flags: Mapping[str, Sequence[int]]) -> Iterator[Issue]:
    named = set()
    if refusal := report.get("refusal"):
        flag = {"dataset.mostly_identical": "identical", "dataset.mostly_duplicates": "duplicates"}
        flag |= {"dataset.contradictory": "contradictory"}
        code = str(refusal["code"])
        named.add(flag.get(code, ""))
        yield _issue(code, sentence(refusal["message"]), "fail", flag.get(code, ""), flags)
    for warning in report.get("warnings") or []:
        code = str(warning.get("code"))
        flag_code = ROWS_FOR.get(code, code)
        named.add(flag_code)
        tone = "note" if code == "read_notes" else "warn"
        yield _issue(code, str(warning.get("message")), tone, flag_code, flags)
    for code, rows in flags.items():
        if code in FLAGS and code not in named:
            label = FLAGS[code].label
            message = f"{label[:1].upper()}{label[1:]}: {len(rows):,} row{'' if len(rows) == 1 else 's'}."
            yield _issue(code, message, "note", code, flags)


def _issue(code: str, message: str, tone: str, flag: str, flags: Mapping[str, Sequence[int]]) -> Issue:
    rows = flags.get(flag, ())
    known = FLAGS.get(flag)
    fix = ADVICE.get(code) or (known.fix if known else "")
    return Issue(
        code,
        message,
        tone,
        fix,
        flag if rows else "",
        tuple(rows[:SHOWN_ROWS]),
        len(rows),
        tuple((kind, BATCH_WORDS[kind]) for kind in known.batch) if known and rows else (),
    )


def _wanted(report: Json, usable: int) -> str:
    """How many pairs are still needed, for what; empty where there are enough."""
    missing = report.get("missing") or {}
    if count := missing.get("pairs"):
        return f"{count} more to be saved, which takes {DEFAULT_LIMITS.min_pairs}"
    if count := missing.get("groups"):
        return f"{count} more {'group' if count == 1 else 'groups'} to be saved"
    if usable < FEW_PAIRS:
        return f"{FEW_PAIRS - usable} more let a verdict be reached, which takes about {FEW_PAIRS}"
    if usable < NARROW_PAIRS:
        return f"enough for a verdict; {NARROW_PAIRS - usable} more give narrow intervals"
    return ""


def _facts(report: Json, groups: Json, usable: int) -> list[Fact]:
    facts = [
        Fact("Usable pairs", f"{usable:,}", f"of {int(report.get('n_pairs') or 0):,} in the file"),
        Fact(
            "Groups",
            f"{int(groups.get('count') or 0):,}",
            f"largest {int(groups.get('largest') or 0):,}, smallest {int(groups.get('smallest') or 0):,}",
        ),
        Fact("Exact duplicates", f"{int(report.get('n_duplicates') or 0):,}"),
        Fact("Positive = negative", f"{int(report.get('n_identical') or 0):,}"),
    ]
    if length := report.get("length"):
        facts.append(
            Fact(
                "Length, positive to negative",
                f"{plain(length.get('ratio'))} : 1",
                f"{length['positive_mean_chars']:.0f} and {length['negative_mean_chars']:.0f} characters; "
                f"by length alone AUROC {plain(length.get('auroc'))}",
            )
        )
    if letters := report.get("letters"):
        shown = ", ".join(f"{letter} {count:,}" for letter, count in (letters.get("positive") or {}).items())
        facts.append(
            Fact("Positive answers by letter", shown, f"{percent(letters.get('imbalance'))} off balance")
        )
    return [*facts, *_word_facts(report)]


def _word_facts(report: Json) -> Iterator[Fact]:
    """What words say; reports from before these were measured have none."""
    if lexical := report.get("lexical"):
        telling = [*(lexical.get("positive_words") or [])[:3], *(lexical.get("negative_words") or [])[:3]]
        yield Fact(
            "Sides told apart by words alone",
            f"AUROC {plain(lexical.get('auroc'))}",
            f"in held-out groups; most telling: {', '.join(telling)}" if telling else "in held-out groups",
        )
    if swapped := report.get("swapped") or {}:
        groups = [str(group) for group in swapped.get("groups") or []]
        shown = ", ".join(groups[:8]) + (", …" if len(groups) > 8 else "")
        yield Fact("Groups that look swapped", f"{int(swapped.get('count') or 0):,}", shown)
    if (near := report.get("n_near_duplicates")) is not None:
        yield Fact("Near duplicates across groups", f"{int(near):,}", "of eight words or more")
