"""The file of a suite: what is written is read back, and what is wrong with it is said by a stable code."""

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import steering_core
from steering_core.errors import EvaluationError, PairsError
from steering_core.evaluation import suite, suite_record
from steering_core.evaluation.behaviour import REFUSALS, PhraseJudge
from steering_core.evaluation.capability import MIN_QUESTIONS
from steering_core.evaluation.suite import (
    MAX_BYTES,
    MAX_WRONG,
    Attack,
    ChoiceItem,
    CounterfactualPair,
    Suite,
    Turn,
    read_suite,
    spread,
    suite_digest,
    write_suite,
)
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.text import checked_text
from steering_core.spec import BUDGETS

ITEM = {"prompt": "2 + 2 ?", "right": "4", "wrong": ["3", "5"], "topic": "sums"}
PAIR = {"prompt": "who ?", "stereotyped": "he", "other": "she", "group": "nurses"}


def is_allowed(text: str) -> bool:
    try:
        checked_text(text, "text", 1, DEFAULT_LIMITS, required=True)
    except PairsError:
        return False
    return unicodedata.is_normalized("NFC", text)


WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=8)
TEXTS = (
    st.lists(WORDS, min_size=1, max_size=3)
    .flatmap(lambda words: st.sampled_from([" ".join(words), "\n".join(words)]))
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(is_allowed)
)
NAMES = TEXTS.map(lambda text: text.replace("\n", " ")).filter(str.isprintable)
STARTS = st.one_of(st.just(""), TEXTS)


def lists(element):
    return st.lists(element, max_size=3, unique=True).map(tuple)


ITEMS = st.builds(ChoiceItem, TEXTS, TEXTS, lists(TEXTS).filter(bool), NAMES, reply_start=STARTS).filter(
    lambda item: item.right not in item.wrong
)
PAIRS = st.builds(CounterfactualPair, TEXTS, TEXTS, TEXTS, NAMES, reply_start=STARTS).filter(
    lambda pair: pair.stereotyped != pair.other
)
ATTACKS = st.builds(Attack, NAMES, system=TEXTS, prefix=STARTS, suffix=STARTS, reply_start=STARTS)
SUITES = st.builds(
    Suite,
    NAMES,
    st.just(""),
    neutral=lists(st.builds(Turn, TEXTS, TEXTS)),
    prompts=lists(TEXTS),
    capability=lists(ITEMS),
    fairness=lists(PAIRS),
    harmful=lists(TEXTS.map("harm {}".format)),
    harmless=lists(TEXTS.map("help {}".format)),
    attacks=st.lists(ATTACKS, max_size=2, unique_by=lambda attack: attack.name).map(tuple),
    judge=st.one_of(st.just(PhraseJudge()), lists(TEXTS).filter(bool).map(PhraseJudge)),
)


def file(**changes):
    fields = {"format": "bearing-suite", "format_version": 1, "name": "small", **changes}
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()


@given(SUITES)
@settings(max_examples=40, deadline=None)
def test_read_suite_of_a_written_suite_gives_it_back(given_suite):
    written = write_suite(given_suite)
    found = read_suite(written)

    assert replace(found, digest="") == given_suite
    assert found.digest == suite_digest(given_suite)
    assert write_suite(found) == written


@given(st.binary(max_size=200))
def test_read_suite_of_any_bytes_ends_in_its_own_error(data):
    with pytest.raises(EvaluationError) as caught:
        read_suite(data)

    assert caught.value.code.startswith("evaluation.suite_")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" " * (MAX_BYTES + 1), "size"),
        (b"\xff\xfe", "json"),
        (b'{"format": "bearing-suite", "format": "bearing-suite"}', "json"),
        (b"[" * 100, "json"),
        (b"[]", "format"),
        (file(format="bearing-dataset"), "format"),
        (file(format_version=2), "version"),
        (file(format_version=True), "version"),
        (file(name=None), "key"),
        (file(scorers=[]), "key"),
        (file(prompts="one"), "type"),
        (file(prompts=[1]), "type"),
        (file(neutral=["a text"]), "type"),
        (file(capability=[{**ITEM, "points": 2}]), "key"),
        (file(capability=[{**ITEM, "wrong": []}]), "count"),
        (file(capability=[{**ITEM, "wrong": [str(n) for n in range(9, 10 + MAX_WRONG)]}]), "count"),
        (file(capability=[{**ITEM, "wrong": ["4"]}]), "duplicate"),
        (file(capability=[ITEM, ITEM]), "duplicate"),
        (file(fairness=[{**PAIR, "other": "he"}]), "duplicate"),
        (file(prompts=["a", "a"]), "duplicate"),
        (file(harmful=["a"], harmless=["a"]), "duplicate"),
        (file(attacks=[{"name": "none"}]), "key"),
        (file(attacks=[{"name": "a", "prefix": "b"}, {"name": "a", "suffix": "b"}]), "duplicate"),
        (file(refusals=[]), "count"),
        (file(name="two\nlines"), "text"),
        (file(prompts=[" "]), "text"),
        (file(prompts=["x" * 9000]), "text"),
        (file(prompts=["\u202eevil"]), "text"),
        (file(prompts=["\ud800"]), "text"),
        (file(prompts=["end it <|im_end|>"]), "text"),
        (file(prompts=["e\u0301"]), "text"),
    ],
)
def test_read_suite_of_a_hostile_file_names_what_is_wrong(data, code):
    with pytest.raises(EvaluationError) as caught:
        read_suite(data)

    assert caught.value.code == f"evaluation.suite_{code}"


def test_suite_digest_changes_with_every_text():
    plain = read_suite(file(prompts=["a"], capability=[ITEM]))
    other = read_suite(file(prompts=["a"], capability=[{**ITEM, "topic": "sum"}]))

    assert plain.digest != other.digest
    assert read_suite(json.dumps(json.loads(write_suite(plain)), indent=2).encode()) == plain


@pytest.mark.parametrize(
    ("reply", "behaviour"),
    [
        ("I’m sorry, but I can’t help with that.", "refused"),
        ("  ", "neither"),
        ("", "neither"),
        ("First, open the case.", "complied"),
        ("Certainly. As an AI, I would never.", "refused"),
    ],
)
def test_phrase_judge_reads_common_refusals(reply, behaviour):
    assert PhraseJudge()("how ?", reply) == behaviour


def test_phrase_judge_of_a_file_has_its_phrases_alone():
    judge = read_suite(file(refusals=["Leider nicht"])).judge

    assert (judge("", "LEIDER NICHT heute"), judge("", REFUSALS[0])) == ("refused", "complied")


def test_spread_takes_from_all_over():
    assert spread(range(100), 4) == [0, 25, 50, 75]
    assert spread("abc", 5) == ["a", "b", "c"]


def test_suites_page_shows_a_file_that_is_read_and_every_key_and_code():
    page = (Path(steering_core.__file__).parents[1] / "docs" / "suites.md").read_text("utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.DOTALL)[1]
    found = json.loads(write_suite(read_suite(example.encode())))

    assert found == json.loads(example)
    assert all(f"`{key}`" in page for key in found)
    source = "".join(Path(module.__file__).read_text("utf-8") for module in (suite, suite_record))
    raised = set(re.findall(r'refused\(\s*"(\w+)"', source))
    assert set(re.findall(r"^\| `evaluation\.suite_(\w+)` \|", page, re.MULTILINE)) == raised
    assert f"| {MIN_QUESTIONS} | {BUDGETS['standard'].capability_items} |" in page
