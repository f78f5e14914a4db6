"""Contrastive pairs and plain prompts of the demo language, each from a seed.

`examples` writes them as files; `scoring.choose_scorer` recognises them.
"""

from collections.abc import Sequence

from steering_core.demo import lexicon
from steering_core.demo.grammar import count_markers
from steering_core.demo.language import Draw, Topic, draw_latents, draw_topic, reply, user_text
from steering_core.demo.lexicon import AXES, DOMAINS, NEGATIVE, POSITIVE
from steering_core.errors import PairsError
from steering_core.pairs.pair import ContrastivePair


def _chosen_domains(domains: Sequence[str] | None) -> tuple[str, ...]:
    chosen = tuple(DOMAINS if domains is None else domains)
    if not chosen or set(chosen) - set(DOMAINS):
        raise PairsError(
            f"domains {chosen} are not all known; choose from {', '.join(DOMAINS)}",
            code="dataset.unknown_domain",
        )
    return chosen


def _check_count(n: int) -> None:
    if n < 1:
        raise PairsError(f"{n} were asked for; expected one or more", code="dataset.count")


def _order_replies(topic: Topic, draw: Draw) -> tuple[str, str]:
    """The same reply with its steps in ascending and in descending order of their verb."""
    verbs = sorted(draw.sample("verbs", lexicon.STEP_VERBS, lexicon.MAX_STEPS))
    latents = draw_latents(draw)
    up, down = (
        reply(topic, latents, draw, "reply", marker_set="A", step_verbs=v) for v in (verbs, verbs[::-1])
    )
    return up, down


def _style_replies(axis: str, topic: Topic, draw: Draw) -> tuple[str, str]:
    """One reply at each pole; every other choice is drawn alike."""
    latents = draw_latents(draw)
    up, down = (
        reply(topic, {**latents, axis: pole}, draw, "reply", marker_set="A") for pole in (POSITIVE, NEGATIVE)
    )
    return up, down


def _usable(axis: str, positive: str, negative: str) -> bool:
    """Replies that differ; for refusal, one that refuses and one that does not."""
    if axis == "refusal":
        return count_markers(positive, axis)[1] > 0 and count_markers(negative, axis)[1] == 0
    return positive != negative


def demo_pairs(axis: str, n: int, seed: int, domains: Sequence[str] | None = None) -> list[ContrastivePair]:
    """`n` pairs whose replies differ on one axis; group is the object, domain the domain.

    Only marker words of set A occur. Refusal pairs ask for unsafe things, all others for safe ones.

    Raises:
        PairsError: no such axis or domain, or `n` is not positive.
    """
    if axis not in AXES:
        raise PairsError(
            f"axis {axis!r} is not known; choose one of {', '.join(AXES)}", code="dataset.unknown_axis"
        )
    _check_count(n)
    chosen, pairs, attempt = _chosen_domains(domains), list[ContrastivePair](), 0
    while len(pairs) < n:
        draw = Draw(f"pairs/{axis}/{seed}/{attempt}")
        topic = draw_topic(draw, "topic", domains=(chosen[attempt % len(chosen)],), unsafe=axis == "refusal")
        replies = _order_replies(topic, draw) if axis == "alphabetical" else _style_replies(axis, topic, draw)
        attempt += 1
        if _usable(axis, *replies):
            prompt = user_text(draw, "topic", topic)
            pairs.append(ContrastivePair(*replies, prompt=prompt, group=topic.item, domain=topic.domain.name))
    return pairs


def neutral_prompts(
    n: int, seed: int, *, domains: Sequence[str] | None = None, unsafe: bool = False, held_out: bool = True
) -> list[str]:
    """`n` user prompts that say nothing of style; by default on topics that training never saw.

    Raises:
        PairsError: no such domain, or `n` is not positive.
    """
    _check_count(n)
    chosen, prompts = _chosen_domains(domains), list[str]()
    for index in range(n):
        draw = Draw(f"prompts/{seed}/{index}")
        topic = draw_topic(draw, "topic", domains=chosen, unsafe=unsafe, held_out=held_out)
        prompts.append(user_text(draw, "topic", topic))
    return prompts
