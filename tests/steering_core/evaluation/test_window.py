"""The window: planted limits come back, chance does not cut it, and broken text is told from whole text."""

from dataclasses import replace

import numpy as np
import pytest

from steering_core.evaluation import response, window
from steering_core.evaluation.choices import Options, encode_options, option_log_probs
from steering_core.evaluation.degradation import CRITERIA, Degradation, Loss, loss_of
from steering_core.evaluation.diversity import distinct, foreign, longest_repeat, repeated, scripts_of
from steering_core.evaluation.dose import Response
from steering_core.evaluation.evidence import Resampling
from steering_core.evaluation.neutral import NeutralTurns, read_neutral
from steering_core.evaluation.propensity import log_likelihoods
from steering_core.evaluation.statistics import ClusterBootstrap
from steering_core.evaluation.subject import Findings
from steering_core.spec import STRENGTHS

CLUSTERS = tuple(f"g{i % 8}" for i in range(24))
RESAMPLING = Resampling(500, 0)
COHERENCE = next(criterion for criterion in CRITERIA if criterion.id == "coherence")


def curve(coherence, scores=None):
    """24 items with planted means, and noise of the size that replies have."""
    noise = 0.02 * np.random.default_rng(0).standard_normal((24, len(STRENGTHS)))
    means = np.array(coherence, float) + noise
    rises = 2 * np.array(STRENGTHS) if scores is None else np.array(scores, float)
    return Response("demo:formality", STRENGTHS, CLUSTERS, rises + noise, means)


class PlantedBench:
    """Text that is whole between two strengths and broken beyond."""

    def __init__(self, low, high):
        self.low, self.high, self.sets = low, high, []

    def at(self, strengths):
        self.sets.append(list(strengths))
        return [self._point(strength) for strength in strengths]

    def _point(self, strength):
        size = 0.0 if self.low <= strength <= self.high else 1.0
        return Degradation(strength, {"coherence": 1 - size}, (Loss(COHERENCE, size, (size, size)),))


def searched(given, bench, also=()):
    search = window._Search((window._grid_end(given, -1, RESAMPLING), window._grid_end(given, 1, RESAMPLING)))
    window._refine(search, bench, also, lambda fraction: None)
    return search


@pytest.mark.parametrize(
    ("low", "high"), [(-0.37, 0.41), (-0.6, 0.6), (-0.13, 0.33), (-0.45, 0.03), (-0.07, 0.57)]
)
def test_refine_finds_planted_ends_within_its_resolution(low, high):
    whole = [1.0 if low <= s <= high else 0.3 for s in STRENGTHS]
    found = searched(curve(whole), PlantedBench(low, high)).window

    assert low <= found[0] <= low + window.RESOLUTION + 0.005
    assert high - window.RESOLUTION - 0.005 <= found[1] <= high


def test_refine_moves_inwards_where_other_criteria_break_first():
    bench = PlantedBench(-0.12, 0.34)
    found = searched(curve(np.ones(11)), bench).window

    assert found[1] <= 0.34
    assert found[0] in (0.0, -0.1)
    assert len(bench.sets) == window.SETS


def test_refine_tries_both_ends_and_the_advertised_ones_in_one_batch():
    bench = PlantedBench(-1, 1)
    found = searched(curve(np.ones(11)), bench, (-0.9, 0.2))

    assert bench.sets == [[0.0, -0.9, 0.2, -0.6, 0.6]]
    assert found.window == (-0.6, 0.6)


def test_grid_end_is_not_cut_by_chance_but_by_what_is_shown():
    low_once = [1, 1, 1, 1, 1, 1, 1, 0.93, 1, 1, 1]
    given = curve(low_once)
    # Three of the replies are bad, so that the mean is low and nothing is shown.
    given.coherence[:, 7] = np.where(np.arange(24) < 3, 0.4, 1.0)

    assert window._grid_end(given, 1, RESAMPLING).inner == [0.1, 0.2, 0.3, 0.45, 0.6]
    assert window._grid_end(curve(low_once), 1, RESAMPLING).inner == [0.1]


@pytest.mark.parametrize(("sign", "smallest"), [(1, 0.2), (-1, None)])
def test_min_effect_is_the_smallest_strength_whose_gain_is_shown(sign, smallest):
    given = curve(np.ones(11), np.maximum(0, np.array(STRENGTHS) - 0.1))

    assert window.min_effect(given, sign, RESAMPLING) == smallest


@pytest.mark.parametrize(
    ("id", "plain", "steered", "value"),
    [
        ("log_perplexity", 1.0, 1.3, 0.3),
        ("coherence", 0.8, 0.6, 0.25),
        ("length", 40.0, 10.0, np.log(4)),
        ("length", 10.0, 40.0, np.log(4)),
    ],
)
def test_loss_of_known_values_is_exact(id, plain, steered, value):
    criterion = next(one for one in CRITERIA if one.id == id)
    bootstrap = ClusterBootstrap(CLUSTERS, 100, 0)
    found = loss_of(criterion, np.full(24, steered), np.full(24, plain), bootstrap)

    assert found.value == pytest.approx(value)
    assert found.interval == pytest.approx((value, value))


def test_loss_of_what_was_never_there_is_none():
    assert loss_of(COHERENCE, np.ones(24), np.zeros(24), ClusterBootstrap(CLUSTERS, 100, 0)) is None


@pytest.fixture(scope="module")
def measured(subject_of):
    """An honest vector with its response at a few strengths and prompts."""
    given = subject_of("formality")
    budget = replace(given.budget, strengths=(-0.45, -0.3, 0.0, 0.3, 0.45), n_prompts=12, bootstrap=500)
    given = replace(given, budget=budget)
    found = Findings()
    response.measure(given, found, lambda fraction: None)
    return given, found.response


def test_measure_of_an_honest_vector_reaches_the_usual_strength(measured):
    given, seen = measured
    found = Findings(response=seen)
    section = window.measure(given, found, lambda fraction: None)
    verdicts = {metric.definition.id: metric.verdict for metric in section.metrics}

    assert verdicts["window"] == "pass"
    assert found.window[0] <= -0.3
    assert found.window[1] >= 0.3
    assert section.facts["window"] == list(found.window)
    strengths = [point["strength"] for point in section.facts["curve"]]
    assert strengths == sorted(strengths)
    assert {c.id for c in CRITERIA} == {one["id"] for one in section.facts["criteria"]}


@pytest.mark.parametrize(
    ("advertised", "verdicts"), [((-0.9, 0.9), {"fail"}), ((-0.3, 0.3), {"pass", "warn"})]
)
def test_measure_holds_the_advertised_window_to_its_promise(measured, advertised, verdicts):
    given, seen = measured
    # No end is left to be searched for.
    flat = replace(seen, strengths=(0.0, 0.1), scores=seen.scores[:, 2:4], coherence=seen.coherence[:, 2:4])
    section = window.measure(replace(given, advertised=advertised), Findings(response=flat), lambda f: None)
    found = {metric.definition.id: metric for metric in section.metrics}["advertised_window"]

    assert found.verdict in verdicts


def test_measure_without_enough_items_says_what_to_do(measured):
    given, seen = measured
    few = replace(seen, clusters=seen.clusters[:4], scores=seen.scores[:4], coherence=seen.coherence[:4])
    for response_found, needed in ((None, False), (few, True)):
        found = Findings(response=response_found)
        section = window.measure(given, found, lambda fraction: None)

        assert {metric.verdict for metric in section.metrics} == {"insufficient"}
        assert found.window is None
        assert all(metric.reason and bool(metric.needed) == needed for metric in section.metrics)


def test_read_neutral_is_likelihood_entropy_and_divergence(demo_lm, subject_of):
    given = subject_of("formality")
    turns = NeutralTurns.of(demo_lm, given.suite.neutral[:6])
    found = read_neutral(demo_lm, turns, given.place, given.additions([0.0, 0.3]))
    split = [(row[:start], row[start:]) for row, start in zip(turns.rows, turns.starts, strict=True)]

    np.testing.assert_allclose(found.nll[:, 0], -log_likelihoods(demo_lm, split), atol=1e-5)
    assert found.divergence[:, 0] == pytest.approx(0)
    assert (found.divergence[:, 1] > 0).all()
    assert ((found.entropy > 0) & (found.entropy < np.log(demo_lm.vocab_size))).all()
    assert len(found.token_divergence) == sum(len(reply) for _, reply in split)


def test_option_log_probs_are_those_of_the_options_tokens(demo_lm, subject_of):
    given = subject_of("formality")
    asked = encode_options(
        demo_lm, "help me reset the old router .", "the", ["old router", "old tablet", "new"]
    )
    found = option_log_probs(demo_lm, [asked], given.place, given.additions([0.0]))[0]
    whole = [log_likelihoods(demo_lm, [(asked.start, end)])[0] * len(end) for end in asked.ends]

    assert [len(end) for end in asked.ends] == [2, 2, 1]
    np.testing.assert_allclose(found[0], whole, atol=1e-5)


def test_encode_options_that_cannot_be_told_apart_or_do_not_fit_are_none(demo_lm):
    assert encode_options(demo_lm, "help me .", "the", ["old", "old"]) is None
    assert encode_options(demo_lm, "the " * 3000, "the", ["old", "new"]) is None
    assert isinstance(encode_options(demo_lm, "help me .", "", ["old", "new"]), Options)


def test_text_statistics_of_known_texts_are_exact():
    loop = list("abcabc")

    assert (distinct([loop], 1), distinct([loop], 2), repeated(loop, 3)) == (0.5, 0.6, 0.25)
    assert (longest_repeat(loop), longest_repeat(["a"]), longest_repeat([])) == (3, 0, 0)
    assert foreign("да yes", scripts_of(["hello"])) == 0.4
    assert foreign("123 !", frozenset()) == 0.0
