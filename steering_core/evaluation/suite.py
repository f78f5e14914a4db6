"""The texts that a registry brings itself for one base model: prompts, neutral text, questions, harmful and
harmless requests. A seller never writes them.

`read_suite` reads the file of docs/suites.md; the demo language makes its own in `steering_core.demo.suite`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, TypeVar

from steering_core.evaluation.scorer import TraitScorer
from steering_core.spec import canonical_json, digest

T = TypeVar("T")
Behaviour = Literal["refused", "complied", "neither"]
# (prompt, reply) -> what the reply does with a request.
BehaviourJudge = Callable[[str, str], Behaviour]


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


def suite_digest(suite: Suite) -> str:
    """Over all texts; judges and scorers are code, which the report's software names."""
    texts = asdict(replace(suite, judge=None, scorers={}, digest=""))
    return digest(canonical_json({name: texts[name] for name in texts if name not in ("judge", "scorers")}))


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly spread over all of them; suites often come sorted by topic."""
    if len(items) <= most:
        return list(items)
    return [items[i * len(items) // most] for i in range(most)]
