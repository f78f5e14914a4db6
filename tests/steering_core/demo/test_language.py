"""The demo language: what is drawn can be read back, and a seed says all."""

from hypothesis import given
from hypothesis import strategies as st

from steering_core.demo import lexicon
from steering_core.demo.grammar import markers, parse_reply, parse_topic
from steering_core.demo.language import Draw, conversation, draw_latents, draw_topic, reply, user_text
from steering_core.demo.scoring import coherence

SEEDS = st.integers(0, 10**9).map(str)


@given(SEEDS, st.booleans(), st.sampled_from([None, "A", "B"]))
def test_reply_drawn_from_any_seed_is_read_back_whole(
    seed: str, held_out: bool, marker_set: str | None
) -> None:
    draw = Draw(seed)
    topic = draw_topic(draw, "t", held_out=held_out)
    text = reply(topic, draw_latents(draw), draw, "r", marker_set=marker_set)
    sentences = parse_reply(text)
    assert " ".join(sentence.text for sentence in sentences) == text
    assert all(sentence.kind for sentence in sentences)
    assert coherence("", text) == 1.0
    assert {sentence.item for sentence in sentences} - {""} == {str(topic)}
    assert {sentence.tool for sentence in sentences} - {""} <= set(lexicon.TOOLS_OF[topic.item])


@given(SEEDS, st.booleans())
def test_topic_of_a_prompt_is_read_back(seed: str, unsafe: bool) -> None:
    topic = draw_topic(Draw(seed), "t", unsafe=unsafe)
    assert parse_topic(user_text(Draw(seed), "t", topic)) == topic
    assert topic.unsafe is unsafe


@given(st.text(max_size=400))
def test_parse_of_any_text_gives_its_words_or_fewer(text: str) -> None:
    words = " ".join(sentence.text for sentence in parse_reply(text)).split()
    assert words == text.split()[: len(words)]
    parse_topic(text)


def test_conversation_with_equal_seed_is_equal() -> None:
    assert conversation("corpus/1") == conversation("corpus/1") != conversation("corpus/2")


def test_marker_words_of_all_axes_are_disjoint() -> None:
    options = [
        option for axis in lexicon.AXES for pole in (-1, 1) for option in markers(axis, pole)
    ]  # fmt: skip
    assert len(options) == len(set(options)) > 80
    phrases = [f" {option} " for option in options]
    assert not [(a, b) for a in phrases for b in phrases if a != b and a in b]


def test_marker_words_are_no_content_words() -> None:
    content = {word for d in lexicon.DOMAINS.values() for word in d.objects + d.tools + d.verbs}
    content |= {*lexicon.MODIFIERS, *lexicon.STEP_VERBS, *lexicon.UNSAFE_VERBS}
    assert not content & {word for axis in lexicon.AXES for pole in (-1, 1) for word in markers(axis, pole)}


def test_style_words_of_the_two_clusters_overlap_in_half() -> None:
    seen: dict[int, set[str]] = {lexicon.DESK: set(), lexicon.HANDS: set()}
    adjectives = set(markers("sentiment", 1))
    for index in range(1500):
        draw = Draw(f"clusters/{index}")
        topic = draw_topic(draw, "t", unsafe=False)
        text = reply(topic, {**draw_latents(draw), "sentiment": 1}, draw, "r")
        seen[topic.domain.cluster] |= adjectives & set(text.split())
    assert [len(words) for words in seen.values()] == [4, 4]
    assert len(seen[lexicon.DESK] & seen[lexicon.HANDS]) == 2
