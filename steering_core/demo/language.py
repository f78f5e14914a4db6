"""Draws topics, replies and whole conversations of the demo language, each from a named seed.

The words stand in `lexicon`; `grammar` reads replies back.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from steering_core.demo import lexicon
from steering_core.demo.lexicon import DOMAIN_OF, DOMAINS, NEGATIVE, NEUTRAL, POSITIVE, SLOTS, STYLE_AXES

T = TypeVar("T")
Latents = dict[str, float]
MARKER_SETS = ("A", "B")
SYSTEM_SHARE = 0.4
UNSAFE_SHARE = 0.3
_SLOT = re.compile(r"\{(\w+)\}")


class Draw:
    """Random choices by name: equal seed and key, equal choice, whatever else was drawn before.

    Two replies from one seed with another latent on one axis therefore differ on that axis alone.
    """

    def __init__(self, seed: str) -> None:
        self.seed = seed

    def share(self, key: str) -> float:
        """A uniform number in [0, 1)."""
        value = hashlib.blake2b(f"{self.seed}/{key}".encode(), digest_size=8).digest()
        return int.from_bytes(value, "big") / 2**64

    def pick(self, key: str, options: Sequence[T]) -> T:
        """One option, all equally likely."""
        return options[min(int(self.share(key) * len(options)), len(options) - 1)]

    def sample(self, key: str, options: Sequence[T], count: int) -> list[T]:
        """`count` different options in random order."""
        order = sorted(range(len(options)), key=lambda index: self.share(f"{key}/{index}"))
        return [options[index] for index in order[:count]]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a user asks for: a verb and an object with a modifier."""

    modifier: str
    item: str
    verb: str

    @property
    def domain(self) -> lexicon.Domain:
        """The domain of the object."""
        return DOMAIN_OF[self.item]

    @property
    def unsafe(self) -> bool:
        """Whether a careful assistant refuses."""
        return self.verb in lexicon.UNSAFE_VERBS

    @property
    def held_out(self) -> bool:
        """True for one in eight modifier-object pairs; training never sees these."""
        return hashlib.blake2b(f"{self.modifier} {self.item}".encode(), digest_size=1).digest()[0] % 8 == 0

    def __str__(self) -> str:
        return f"{self.modifier} {self.item}"


def draw_topic(
    draw: Draw,
    key: str,
    *,
    domains: Sequence[str] = tuple(DOMAINS),
    unsafe: bool | None = None,
    held_out: bool = False,
) -> Topic:
    """A topic of the given domains; unsafe None draws that too, 30 % unsafe."""
    if unsafe is None:
        unsafe = draw.share(f"{key}/unsafe") < UNSAFE_SHARE
    attempt = 0
    while True:
        domain = DOMAINS[draw.pick(f"{key}/domain{attempt}", domains)]
        item = draw.pick(f"{key}/item{attempt}", domain.objects)
        verb = draw.pick(f"{key}/verb", lexicon.UNSAFE_VERBS if unsafe else domain.verbs)
        topic = Topic(draw.pick(f"{key}/modifier{attempt}", lexicon.MODIFIERS), item, verb)
        if topic.held_out == held_out:
            return topic
        attempt += 1


def user_text(draw: Draw, key: str, topic: Topic) -> str:
    """The user's turn: `how do i reset the old router ?`."""
    return draw.pick(f"{key}/user", lexicon.USER_TEMPLATES).format(V=topic.verb, O=topic)


def draw_latents(draw: Draw) -> Latents:
    """How strongly each axis leans, in [-1, 1]; refusal stays at 0 unless a system line says otherwise."""
    latents = {axis: draw.pick(f"latent/{axis}", (-1, -1, -0.5, 0, 0, 0.5, 1, 1)) for axis in STYLE_AXES}
    return {**latents, "refusal": 0}


def slot_options(name: str, pole: int, cluster: int, marker_set: str | None) -> tuple[str, ...]:
    """What may fill a slot: both clusters' options and the cluster's own; a marker set takes half of them."""
    words = SLOTS[name].words
    options = words.get(pole) or next(iter(words.values()))
    if len(options) != 6 or SLOTS[name].axis is None or (pole == NEUTRAL and len(words) > 1):
        return options
    own = options[:2] + options[2 + 2 * cluster : 4 + 2 * cluster]
    return own if marker_set is None else own[MARKER_SETS.index(marker_set) :: 2]


def _pole(latent: float, share: float) -> int:
    """Each slot leans by itself, so that style must be inferred from the text so far and carried on."""
    noise = 0.03
    if share < 0.9 * max(latent, 0) + noise:
        return POSITIVE
    return NEGATIVE if share > 1 - 0.9 * max(-latent, 0) - noise else NEUTRAL


def _refuses(latent: float, unsafe: bool, share: float) -> bool:
    chance = (
        {NEGATIVE: 0.03, NEUTRAL: 0.95, POSITIVE: 0.99}
        if unsafe
        else {NEGATIVE: 0, NEUTRAL: 0.005, POSITIVE: 0.95}
    )
    return share < chance[round(latent)]


def _sentence_kinds(topic: Topic, latents: Latents, draw: Draw, key: str, steps: int | None) -> list[str]:
    """Which sentences a reply has: warm replies greet, list more steps and close."""

    def said(kind: str, base: float, gain: float) -> bool:
        return draw.share(f"{key}/{kind}") < min(0.97, max(0.02, base + gain * latents["warmth"]))

    opening = [kind for kind, base in (("greeting", 0.35), ("empathy", 0.3)) if said(kind, base, 0.6)]
    closing = ["closing"] if said("closing", 0.35, 0.6) else []
    if _refuses(latents["refusal"], topic.unsafe, draw.share(f"{key}/refuse")):
        body = [
            "refusal",
            *(kind for kind, base in (("harm", 0.7), ("leave", 0.6)) if said(kind, base, 0.35)),
        ]
    else:
        more = said("second", 0.6, 0.35) + said("third", 0.4, 0.45)
        body = ["outlook", "answer", *["step"] * (steps or 1 + more)]
        body += ["result"] if said("result", 0.5, 0.4) else []
    return opening + body + closing


def reply(
    topic: Topic,
    latents: Latents,
    draw: Draw,
    key: str,
    *,
    marker_set: str | None = None,
    step_verbs: Sequence[str] | None = None,
) -> str:
    """One assistant reply, words divided by spaces; `step_verbs` fixes the steps and their order."""
    kinds = _sentence_kinds(topic, latents, draw, key, len(step_verbs) if step_verbs else None)
    cluster, sentences, seen = topic.domain.cluster, [], 0
    for kind in kinds:
        step, seen = seen, seen + (kind == "step")
        name = f"{key}/{kind}{step if kind == 'step' else ''}"
        fixed = {
            "O": str(topic),
            "V": topic.verb,
            "T": draw.pick(f"{name}/tool", lexicon.TOOLS_OF[topic.item]),
        }
        fixed["W"] = (
            step_verbs[step % len(step_verbs)]
            if step_verbs
            else draw.pick(f"{name}/verb", lexicon.STEP_VERBS)
        )

        def fill(match: re.Match[str], name: str = name, fixed: dict[str, str] = fixed) -> str:
            slot = match.group(1)
            if slot in fixed:
                return fixed[slot]
            axis = SLOTS[slot].axis
            pole = _pole(latents[axis], draw.share(f"{name}/{slot}/pole")) if axis else NEUTRAL
            return draw.pick(f"{name}/{slot}", slot_options(slot, pole, cluster, marker_set))

        sentences.append(_SLOT.sub(fill, lexicon.TEMPLATES[kind]))
    return " ".join(" ".join(sentences).split())


def system_line(hints: Sequence[str]) -> str:
    """`be warm and casual .`"""
    return "be " + " and ".join(hints) + " ."


def _draw_system(draw: Draw, latents: Latents) -> tuple[str, Latents]:
    """40 % of the conversations name one to three axes, most often refusal, which varies only there."""
    if draw.share("system") >= SYSTEM_SHARE:
        return "", latents
    named = draw.sample("axes", [*STYLE_AXES, "refusal"], draw.pick("named", (1, 1, 2, 3)))
    poles = {axis: draw.pick(f"system/{axis}", (NEGATIVE, POSITIVE)) for axis in dict.fromkeys(named)}
    hints = [hints[pole == POSITIVE] for axis, pole in poles.items() if (hints := STYLE_AXES[axis].hints)]
    return system_line(hints), {**latents, **poles}


def conversation(seed: str, *, held_out: bool = False) -> list[dict[str, str]]:
    """One to three turns as chat messages with the keys role and content."""
    draw = Draw(seed)
    system, latents = _draw_system(draw, draw_latents(draw))
    messages = [{"role": "system", "content": system}] if system else []
    domains: Sequence[str] = tuple(DOMAINS)
    for turn in range(draw.pick("turns", (1, 2, 3))):
        stays = turn > 0 and draw.share(f"{turn}/stays") < 0.6
        topic = draw_topic(draw, str(turn), domains=domains if stays else tuple(DOMAINS), held_out=held_out)
        domains = (topic.domain.name,)
        messages.append({"role": "user", "content": user_text(draw, str(turn), topic)})
        messages.append({"role": "assistant", "content": reply(topic, latents, draw, str(turn))})
    return messages


_ROLE_TOKENS = {"system": "<sys>", "user": "<usr>", "assistant": "<ast>"}


def render(messages: Sequence[dict[str, str]]) -> str:
    """The text that the model is trained on; the tokenizer's chat template gives the same."""
    turns = (f"{_ROLE_TOKENS[message['role']]} {message['content']} <end>" for message in messages)
    return " ".join(("<bos>", *turns))
