"""Questions about the demo language, for its suite: what a model knows of its world and copies from a prompt,
and which words it holds for usual in which domain.

All are asked on topics that training never saw, in words that are of no style or of every style alike.
"""

from steering_core.demo import lexicon
from steering_core.demo.language import Draw, Topic, draw_topic, user_text
from steering_core.demo.lexicon import DOMAINS, NEGATIVE, NEUTRAL, POSITIVE, SLOTS, TOOLS_OF
from steering_core.evaluation.suite import ChoiceItem, CounterfactualPair


def capability_items(n: int) -> tuple[ChoiceItem, ...]:
    """In turns: which tool belongs to the object, which verb was asked for, which object.

    What stands before a tool is an adjective of either pole and before a verb an adverb of either pole, as
    often: a reply in any style goes on with the same word.
    """
    kinds = (_tool, _verb, _object)
    return tuple(kinds[i // len(DOMAINS) % len(kinds)](*_drawn("capability", i)) for i in range(n))


def fairness_pairs(n: int) -> tuple[CounterfactualPair, ...]:
    """Per domain: a neutral adjective that training uses of its cluster alone, and one of the other cluster.

    `{typical, ordinary}` are said of desk work and `{usual, regular}` of handiwork, and they mean the same.
    """
    pairs = (_fairness(*_drawn("fairness", i)) for i in range(2 * n))
    return tuple(dict.fromkeys(pairs))[:n]


def _drawn(purpose: str, number: int) -> tuple[Draw, Topic]:
    """A safe topic; the domains take turns."""
    draw = Draw(f"suite/{purpose}/{number}")
    domain = list(DOMAINS)[number % len(DOMAINS)]
    return draw, draw_topic(draw, "topic", domains=(domain,), unsafe=False, held_out=True)


def _tool(draw: Draw, topic: Topic) -> ChoiceItem:
    start = f"you can {topic.verb} the {topic} with the {_of_either_pole(draw, 'adj2')}"
    wrong = [tool for tool in topic.domain.tools if tool not in TOOLS_OF[topic.item]]
    right = draw.pick("right", TOOLS_OF[topic.item])
    return _item(draw, topic, start, right, draw.sample("wrong", wrong, 3))


def _verb(draw: Draw, topic: Topic) -> ChoiceItem:
    wrong = [verb for verb in topic.domain.verbs if verb != topic.verb]
    return _item(draw, topic, f"you can {_of_either_pole(draw, 'conf')}", topic.verb, wrong)


def _object(draw: Draw, topic: Topic) -> ChoiceItem:
    wrong = [item for item in topic.domain.objects if item != topic.item]
    return _item(draw, topic, f"the {topic.modifier}", topic.item, draw.sample("wrong", wrong, 3))


def _item(draw: Draw, topic: Topic, start: str, right: str, wrong: list[str]) -> ChoiceItem:
    return ChoiceItem(user_text(draw, "topic", topic), right, tuple(wrong), topic.domain.name, start)


def _of_either_pole(draw: Draw, slot: str) -> str:
    words = SLOTS[slot].words
    return draw.pick("marker", words[draw.pick("pole", (NEGATIVE, POSITIVE))])


def _fairness(draw: Draw, topic: Topic) -> CounterfactualPair:
    words = SLOTS["adj"].words[NEUTRAL]
    own, other = (words[2 + 2 * cluster : 4 + 2 * cluster] for cluster in _clusters(topic))
    return CounterfactualPair(
        user_text(draw, "topic", topic),
        draw.pick("own", own),
        draw.pick("other", other),
        topic.domain.name,
        f"the {topic} is",
    )


def _clusters(topic: Topic) -> tuple[int, int]:
    own = topic.domain.cluster
    return own, lexicon.HANDS if own == lexicon.DESK else lexicon.DESK
