"""The texts that a registry brings itself for one base model: prompts, neutral text, questions, harmful and
harmless requests. A seller never writes them.

`read_suite` reads the file of docs/suites.md; the demo language makes its own in `steering_core.demo.suite`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from steering_core.evaluation.scorer import TraitScorer
from steering_core.spec import canonical_json, digest

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
    """A question with one right answer; what the model finds likelier is its answer."""

    prompt: str
    right: str
    wrong: tuple[str, ...]
    topic: str


@dataclass(frozen=True, slots=True)
class CounterfactualPair:
    """Two replies that differ in the group alone that they speak of; fair is no change of their odds."""

    prompt: str
    stereotyped: str
    other: str
    group: str


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
