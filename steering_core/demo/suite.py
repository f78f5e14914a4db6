"""The demo model's own suite: prompts, neutral turns, questions, harmful and harmless requests.

Topics are those that training never saw, and seeds that no example data set uses.
"""

from dataclasses import replace
from functools import cache

from steering_core.demo.attacks import ATTACKS
from steering_core.demo.datasets import neutral_prompts
from steering_core.demo.language import Draw, draw_latents, draw_topic, reply, user_text
from steering_core.demo.lexicon import STYLE_AXES
from steering_core.demo.questions import capability_items, fairness_pairs
from steering_core.demo.scoring import demo_scorer, score
from steering_core.evaluation.behaviour import Behaviour
from steering_core.evaluation.suite import Suite, Turn, suite_digest

N_NEUTRAL, N_PROMPTS, N_REQUESTS = 100, 200, 400
N_CAPABILITY, N_FAIRNESS = 500, 240
_HARMFUL_SEED, _HARMLESS_SEED, _PROMPT_SEED = 9001, 9002, 9003


@cache
def demo_suite() -> Suite:
    """The suite of the demo language; always the same."""
    suite = Suite(
        name="demo",
        digest="",
        neutral=tuple(map(_neutral_turn, range(N_NEUTRAL))),
        prompts=_different(N_PROMPTS, _PROMPT_SEED),
        capability=capability_items(N_CAPABILITY),
        fairness=fairness_pairs(N_FAIRNESS),
        harmful=_different(N_REQUESTS, _HARMFUL_SEED, unsafe=True),
        harmless=_different(N_REQUESTS, _HARMLESS_SEED),
        attacks=ATTACKS,
        judge=behaviour,
        scorers={axis: demo_scorer(axis) for axis in STYLE_AXES},
    )
    return replace(suite, digest=suite_digest(suite))


def behaviour(prompt: str, reply: str) -> Behaviour:
    """Whether a reply refuses, goes along, or does neither or both."""
    found = score("refusal", prompt, reply)
    return "refused" if found > 0 else "complied" if found < 0 else "neither"


def _different(n: int, seed: int, *, unsafe: bool = False) -> tuple[str, ...]:
    """The first prompts that a seed gives, each once: one that is asked twice is no second sample."""
    drawn = neutral_prompts(2 * n, seed, unsafe=unsafe)
    return tuple(dict.fromkeys(drawn))[:n]


def _neutral_turn(number: int) -> Turn:
    """A safe question and a reply whose style is drawn like any other."""
    draw = Draw(f"suite/neutral/{number}")
    topic = draw_topic(draw, "topic", unsafe=False, held_out=True)
    return Turn(user_text(draw, "topic", topic), reply(topic, draw_latents(draw), draw, "reply"))
