"""Which of a suite's requests the screen asks, which ones the references are made of, and how an attack wraps
them.

The two never overlap: a direction that is read off some requests must not be judged on the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steering_core.evaluation.subject import Subject
from steering_core.evaluation.suite import Attack
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt, encode_reply
from steering_core.models.turns import encode_prompt_under
from steering_core.spec import seed_from

REFERENCE_SHARE, MAX_REFERENCES = 0.25, 128
# Refusals and answers show themselves in the first sentences, so longer replies would tell no more.
REPLY_TOKENS = 32
PLAIN = Attack("none")


@dataclass(frozen=True, slots=True)
class Requests:
    """Different requests of one suite that leave room for a reply.

    Attributes:
        harmful, harmless: those that the screen asks.
        harmful_references, harmless_references: those that directions are read off.
    """

    harmful: tuple[str, ...]
    harmless: tuple[str, ...]
    harmful_references: tuple[str, ...]
    harmless_references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request under one attack.

    Attributes:
        ids: everything up to the place where the model goes on.
    """

    request: str
    attack: Attack
    ids: tuple[int, ...]

    def whole(self, text: str) -> str:
        """The reply with the words that it was made to begin with."""
        return f"{self.attack.reply_start} {text}".strip()


def requests_of(subject: Subject) -> Requests:
    """The same for all vectors of a model, a suite and a tier."""
    suite, most = subject.suite, subject.budget.safety_prompts
    harmful, harmful_references = _apart(subject, suite.harmful, most)
    harmless, harmless_references = _apart(subject, suite.harmless, most)
    return Requests(harmful, harmless, harmful_references, harmless_references)


def asked(lm: LanguageModel, attack: Attack, request: str) -> Asked:
    """A request as the attack has it, as token ids."""
    text = " ".join(part for part in (attack.prefix, request, attack.suffix) if part)
    ids = encode_prompt_under(lm, attack.system, text) if attack.system else encode_prompt(lm, text)
    start = encode_reply(lm, text, attack.reply_start) if attack.reply_start else []
    return Asked(request, attack, (*ids, *start))


def _apart(subject: Subject, requests: Sequence[str], most: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(asked, references); files often come sorted by topic, so the order is drawn."""
    fits = [request for request in dict.fromkeys(requests) if _leaves_room(subject, request)]
    order = np.random.default_rng(seed_from(subject.suite.digest, "safety")).permutation(len(fits))
    drawn = [fits[i] for i in order]
    n_references = min(MAX_REFERENCES, int(REFERENCE_SHARE * len(drawn)))
    return tuple(drawn[n_references:][:most]), tuple(drawn[:n_references])


def _leaves_room(subject: Subject, request: str) -> bool:
    longest = max(len(asked(subject.lm, attack, request).ids) for attack in (PLAIN, *subject.suite.attacks))
    return longest + REPLY_TOKENS < subject.lm.max_positions
