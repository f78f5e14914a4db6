"""The texts that a registry brings itself for one base model: prompts, neutral text, questions, harmful and
harmless requests. A seller never writes them.

`read_suite` reads the file of docs/suites.md; the demo language makes its own in `steering_core.demo.suite`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from steering_core.errors import FormatError
from steering_core.evaluation.behaviour import REFUSALS, PhraseJudge
from steering_core.evaluation.behaviour import Behaviour as Behaviour
from steering_core.evaluation.behaviour import BehaviourJudge as BehaviourJudge
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.suite_record import Record, refused
from steering_core.spec import canonical_json, digest, parse_json

FORMAT_NAME, FORMAT_VERSION = "bearing-suite", 1
MAX_BYTES = 16 * 1024 * 1024
MAX_ITEMS, MAX_WRONG, MAX_ATTACKS, MAX_REFUSALS = 20_000, 16, 32, 1000

_LISTS = ("neutral", "prompts", "capability", "fairness", "harmful", "harmless", "attacks")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """A prompt and a reply that says nothing of any trait."""

    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class ChoiceItem:
    """A question with one right answer; what the model finds likelier is its answer.

    Attributes:
        right, wrong: how the reply goes on behind `reply_start`; of like length, since longer is less likely.
        topic: what intervals are clustered by.
        reply_start: words that the reply is made to begin with.
    """

    prompt: str
    right: str
    wrong: tuple[str, ...]
    topic: str
    reply_start: str = ""


@dataclass(frozen=True, slots=True)
class CounterfactualPair:
    """Two replies about one group of people or things, of which one says what is always said of that group;
    fair is a change of their odds that is the same for all groups.

    Attributes:
        stereotyped, other: how the reply goes on behind `reply_start`.
    """

    prompt: str
    stereotyped: str
    other: str
    group: str
    reply_start: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """A template around a harmful request; empty parts are left out.

    Attributes:
        system: a system turn.
        prefix, suffix: what goes before and behind the request in the user's turn.
        reply_start: words that the reply is made to begin with.
    """

    name: str
    system: str = ""
    prefix: str = ""
    suffix: str = ""
    reply_start: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """All of them; whatever is empty cannot be measured, and the report says so.

    Attributes:
        digest: of the file, so that a report names what it was measured with.
        harmful, harmless: requests that a careful model refuses, and like ones that it answers.
        scorers: other traits than the one in question, by name, for side effects.
    """

    name: str
    digest: str
    neutral: tuple[Turn, ...] = ()
    prompts: tuple[str, ...] = ()
    capability: tuple[ChoiceItem, ...] = ()
    fairness: tuple[CounterfactualPair, ...] = ()
    harmful: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    attacks: tuple[Attack, ...] = ()
    judge: BehaviourJudge | None = None
    scorers: Mapping[str, TraitScorer] = field(default_factory=dict)


EMPTY_SUITE = Suite("none", "")


def read_suite(data: bytes) -> Suite:
    """The suite in a file of docs/suites.md, judged by phrases and without scorers.

    Raises:
        EvaluationError: `evaluation.suite_size`, `.suite_json`, `.suite_format`, `.suite_version`,
            `.suite_key`, `.suite_type`, `.suite_text`, `.suite_count` or `.suite_duplicate`.
    """
    file = _file(data)
    suite = Suite(
        name=file.name("name"),
        digest="",
        neutral=file.items("neutral", MAX_ITEMS, _turn),
        prompts=file.texts("prompts", MAX_ITEMS),
        capability=file.items("capability", MAX_ITEMS, _choice_item),
        fairness=file.items("fairness", MAX_ITEMS, _counterfactual_pair),
        harmful=file.texts("harmful", MAX_ITEMS),
        harmless=file.texts("harmless", MAX_ITEMS),
        attacks=file.items("attacks", MAX_ATTACKS, _attack),
        judge=PhraseJudge(
            file.texts("refusals", MAX_REFUSALS, least=1) if "refusals" in file.fields else REFUSALS
        ),
    )
    if both := set(suite.harmful) & set(suite.harmless):
        raise refused("duplicate", f"{min(both)[:40]!r} is harmful and harmless; take it out of one")
    if len({attack.name for attack in suite.attacks}) < len(suite.attacks):
        raise refused("duplicate", "two attacks have one name; name each")
    return replace(suite, digest=suite_digest(suite))


def write_suite(suite: Suite) -> bytes:
    """The canonical file: `read_suite` gives the suite back, but for scorers and a judge that is code.

    Raises:
        FormatError: a text holds half of a surrogate pair.
    """
    known = {name: getattr(suite, name) for name in _LISTS}
    lists = {
        name: [one if isinstance(one, str) else _without_empty(asdict(one)) for one in items]
        for name, items in known.items()
        if items
    }
    if isinstance(suite.judge, PhraseJudge) and suite.judge.phrases != REFUSALS:
        lists["refusals"] = list(suite.judge.phrases)
    return canonical_json(
        {"format": FORMAT_NAME, "format_version": FORMAT_VERSION, "name": suite.name, **lists}
    )


def suite_digest(suite: Suite) -> str:
    """Of the canonical file; judges and scorers that are code are named by the report's software."""
    return digest(write_suite(suite))


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly spread over all of them; suites often come sorted by topic."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]


def _file(data: bytes) -> Record:
    if len(data) > MAX_BYTES:
        raise refused("size", f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        value = parse_json(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise refused("json", "the file is not UTF-8; save it as UTF-8, without a mark in front") from error
    except FormatError as error:
        raise refused("json", f"the file cannot be read: {error.message}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT_NAME:
        raise refused("format", f"no suite: expected an object with format {FORMAT_NAME!r}")
    version = value.get("format_version")
    if version != FORMAT_VERSION or type(version) is not int:
        raise refused(
            "version",
            f"the suite has format_version {str(version)[:16]!a}; version {FORMAT_VERSION} is read here. If "
            "it is newer, update this program",
        )
    return Record.of(value, "the suite", ("format", "format_version", "name"), (*_LISTS, "refusals"))


def _turn(value: object, where: str) -> Turn:
    record = Record.of(value, where, ("prompt", "reply"))
    return Turn(record.text("prompt"), record.text("reply"))


def _choice_item(value: object, where: str) -> ChoiceItem:
    record = Record.of(value, where, ("prompt", "right", "wrong", "topic"), ("reply_start",))
    right, wrong = record.text("right"), record.texts("wrong", MAX_WRONG, least=1)
    if right in wrong:
        raise refused("duplicate", f"the right answer of {where} is among the wrong ones; take it out")
    start = record.text("reply_start")
    return ChoiceItem(record.text("prompt"), right, wrong, record.name("topic"), start)


def _counterfactual_pair(value: object, where: str) -> CounterfactualPair:
    record = Record.of(value, where, ("prompt", "stereotyped", "other", "group"), ("reply_start",))
    stereotyped, other = record.text("stereotyped"), record.text("other")
    if stereotyped == other:
        raise refused("duplicate", f"both replies of {where} are the same; give two")
    start = record.text("reply_start")
    return CounterfactualPair(record.text("prompt"), stereotyped, other, record.name("group"), start)


def _attack(value: object, where: str) -> Attack:
    parts = ("system", "prefix", "suffix", "reply_start")
    record = Record.of(value, where, ("name",), parts)
    if not any(part in record.fields for part in parts):
        raise refused("key", f"{where} changes nothing; give one of {', '.join(parts)}")
    return Attack(record.name("name"), *map(record.text, parts))


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value != ""}
