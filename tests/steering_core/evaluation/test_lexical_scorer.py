import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering_core.errors import EvaluationError
from steering_core.evaluation.lexical_scorer import lexical_scorer, read_lexical_spec

SPEC: dict[str, Any] = {
    "bearing_scorer": 1,
    "name": "acme:formality",
    "label": "formality",
    "negative": {"pole": "casual", "words": ["hey", "gonna", "no worries"]},
    "positive": {"pole": "formal", "words": {"Therefore": 2, "moreover": 1}},
    "instructions": [{"negative": "Be casual.", "positive": "Be formal."}],
}


def read(**changes: Any) -> Any:
    return read_lexical_spec(json.dumps(SPEC | changes).encode())


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("Moreover, it rains.", 1.0),
        ("It rains. It pours. Moreover it snows. Stay in.", 0.25),
        ("THEREFORE hey", 1 / 3),
        ("Hey, no   worries. It rains.", -1.0),
        ("heyday gonnas", 0.0),
        ("", 0.0),
        ("word " * 39 + "moreover", 0.5),
    ],
)
def test_lexical_scorer_weighs_words_over_sentences(reply: str, score: float) -> None:
    scorer = lexical_scorer(read())

    assert scorer.score("", reply) == pytest.approx(score)


def test_lexical_scorer_carries_what_the_file_says() -> None:
    scorer = lexical_scorer(read())

    assert (scorer.name, scorer.label) == ("acme:formality", "formality")
    assert (scorer.negative_pole, scorer.positive_pole) == ("casual", "formal")
    assert scorer.instructions == (("Be casual.", "Be formal."),)


@pytest.mark.parametrize(
    ("reply", "share"), [("", 0), ("one", 1), ("a b c d e", 1), ("go on now " * 4, 3 / 10), ("! ?", 0)]
)
def test_coherence_is_the_share_of_word_runs_that_are_new(reply: str, share: float) -> None:
    assert lexical_scorer(read()).coherence("", reply) == pytest.approx(share)


def test_lexical_scorer_of_words_from_some_pairs_tells_others_apart() -> None:
    from steering_core.demo import demo_pairs

    seen, unseen = demo_pairs("confidence", 80, seed=1), demo_pairs("confidence", 60, seed=2)
    counts = [
        Counter(w for p in seen for w in set(getattr(p, pole).split())) for pole in ("positive", "negative")
    ]
    poles = {
        pole: {"pole": pole, "words": [w for w in own if w.isalpha() and own[w] > 5 * other[w] + 3]}
        for pole, own, other in (("positive", *counts), ("negative", *reversed(counts)))
    }

    scorer = lexical_scorer(read(**poles))

    apart = [scorer.score(p.prompt, p.positive) > scorer.score(p.prompt, p.negative) for p in unseen]
    assert sum(apart) / len(apart) >= 0.9


@given(st.text())
def test_lexical_scorer_of_any_text_stays_in_range(reply: str) -> None:
    scorer = lexical_scorer(read())

    assert -1 <= scorer.score("", reply) <= 1
    assert 0 <= scorer.coherence("", reply) <= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.sampled_from(sorted(SPEC)), JSON)
def test_read_lexical_spec_of_any_value_reads_it_or_refuses(field: str, value: Any) -> None:
    try:
        found = lexical_scorer(read(**{field: value})).score("", "hey therefore")
    except EvaluationError as error:
        found = 0.0 if error.code.startswith("evaluation.scorer_") else 2.0

    assert -1 <= found <= 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"bearing_scorer": 2}, "fields"),
        ({"bearing_scorer": True}, "fields"),
        ({"name": "Acme Formality"}, "text"),
        ({"label": " "}, "text"),
        ({"label": "x" * 65}, "text"),
        ({"extra": 1}, "fields"),
        ({"positive": {"pole": "formal"}}, "fields"),
        ({"positive": {"pole": "formal", "words": []}}, "words"),
        ({"positive": {"pole": "formal", "words": ["a", "a"]}}, "words"),
        ({"positive": {"pole": "formal", "words": ["thus", "THUS "]}}, "words"),
        ({"positive": {"pole": "formal", "words": ["hey"]}}, "words"),
        ({"positive": {"pole": "formal", "words": ["..."]}}, "words"),
        ({"positive": {"pole": "formal", "words": ["\u202ethus"]}}, "text"),
        ({"positive": {"pole": "formal", "words": {"thus": 0}}}, "weight"),
        ({"positive": {"pole": "formal", "words": {"thus": True}}}, "weight"),
        ({"positive": {"pole": "formal", "words": {"thus": 11}}}, "weight"),
        ({"positive": {"pole": "formal", "words": [f"w{n}" for n in range(2001)]}}, "words"),
        ({"instructions": [{"positive": "Be formal."}]}, "fields"),
        ({"instructions": [SPEC["instructions"][0]] * 6}, "fields"),
    ],
)
def test_read_lexical_spec_refuses_with_a_stable_code(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        read(**changes)

    assert caught.value.code == f"evaluation.scorer_{code}"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "json"),
        (b'{"name": "a", "name": "b"}', "json"),
        (b"\xff", "json"),
        (b"[]", "fields"),
        (b" " * (256 * 1024 + 1), "size"),
    ],
)
def test_read_lexical_spec_of_what_is_no_such_file(data: bytes, code: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        read_lexical_spec(data)

    assert caught.value.code == f"evaluation.scorer_{code}"
