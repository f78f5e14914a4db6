import json
import random
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from steering_core.errors import ExtractionError, ModelMismatchError
from steering_core.evaluation.families import families_of
from steering_core.evaluation.gates import GATES
from steering_core.evaluation.pipeline import extract_and_evaluate
from steering_core.evaluation.scorer import TraitScorer
from steering_core.formats.bearing import read_vector, write_vector
from steering_core.injection.hooks import steer
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits, split_pairs
from steering_core.spec import STRENGTHS, ExtractionSpec

DIGEST = "sha256:" + "1" * 64
KIND = TraitScorer(
    "tests:kind", "kindness", "blunt", "kind", lambda p, r: ("kindly" in r) - ("just" in r), lambda p, r: 1.0
)
# Of families that every tier has.
METRICS = {"auroc", "ratio", "scale", "steerability", "anti_steerable", "coherence", "effect", "prompting"}
UNREPEATABLE = ("duration_seconds", "cost")


def repeatable(report):
    """A report without what is a matter of time."""
    kept = {name: value for name, value in report.items() if name not in UNREPEATABLE}
    return kept | {"sections": {n: facts for n, facts in report["sections"].items() if n != "latency"}}


def make_pairs(n, prompts=True, seed=0):
    drawn = random.Random(seed)

    def text(first):
        return " ".join(
            [first, *drawn.choices(("the", "cat", "sat", "mat", "fast", "tea"), k=drawn.randint(2, 5))]
        )

    return [
        ContrastivePair(
            prompt=text("a") if prompts else "",
            positive=text("kindly"),
            negative=text("just"),
            group=f"topic {i % (n // 2)}",
        )
        for i in range(n)
    ]


def by_id(report):
    return {metric["id"]: metric for metric in report["metrics"]}


def run(lm, pairs, scorer=None, progress=lambda *told: None, **asked):
    spec = ExtractionSpec(DIGEST, lm.identity.model_hash, **asked)
    splits = split_pairs(pairs, DIGEST)
    with tempfile.TemporaryDirectory() as folder:
        return extract_and_evaluate(lm, pairs, splits, spec, Path(folder), scorer=scorer, progress=progress)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox", "qwen3"])
def test_pipeline_each_architecture_gives_a_whole_report_and_a_usable_vector(tiny_lm, kind):
    lm = tiny_lm(kind)
    outcome = run(lm, make_pairs(60), KIND, tier="smoke")
    report = outcome.report

    assert {metric["id"] for metric in report["metrics"]} >= METRICS
    assert [gate["name"] for gate in report["gates"]] == list(GATES)
    assert report["counts"]["train"] + report["counts"]["select"] + report["counts"]["test"] == 60
    assert [(b["pooling"], b["block"]) for b in report["selection"]["blocks"]] == [
        (pooling, block) for pooling in ("response_mean", "next_turn") for block in range(3)
    ]
    assert len(report["dose_response"]["points"]) == 3
    assert len(report["dose_response"]["control"]["effects"]) == 3
    assert report["cost"]["forward_rows"] == sum(
        cost["forward_rows"] for cost in report["cost"]["families"].values()
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["software"]["positions"] == "all"
    with steer(lm, [(outcome.vector, 0.05)]):
        pass


def test_pipeline_vector_survives_its_file(tiny_lm):
    vector = run(tiny_lm("llama"), make_pairs(20), KIND, tier="smoke").vector

    assert read_vector(write_vector(vector)).tensor_digest == vector.tensor_digest


def test_pipeline_vector_says_its_sign_set_points_doses_and_dtype(tiny_lm):
    outcome = run(tiny_lm("llama"), make_pairs(20), KIND, tier="smoke")
    vector, report = outcome.vector, outcome.report
    (key,) = vector.directions
    negative, positive = vector.set_points[key]

    assert (vector.sign, vector.provenance.dtype) == ("positive", "float32")
    assert positive - negative == pytest.approx(vector.norm(key))
    assert tuple(strength for strength, _ in vector.doses) == STRENGTHS
    assert [[d["strength"], d["nats"]] for d in report["doses"]] == [list(dose) for dose in vector.doses]


def test_pipeline_set_points_are_the_mean_projections_of_the_train_texts(tiny_lm, tmp_path):
    lm, pairs = tiny_lm("llama"), make_pairs(20)
    spec = ExtractionSpec(DIGEST, lm.identity.model_hash, tier="smoke")
    splits = split_pairs(pairs, DIGEST)
    found = extract_and_evaluate(lm, pairs, splits, spec, tmp_path, scorer=None, progress=lambda *told: None)
    (key,) = found.vector.directions
    unit = found.vector.directions[key] / found.vector.norm(key)
    train = found.statistics.split("train")
    rows = found.statistics.rows(found.place.score.pooling, *found.place.at, train)

    assert found.vector.set_points[key] == pytest.approx(
        [(rows.pole(pole) @ unit).mean() for pole in ("negative", "positive")], rel=1e-4
    )


def test_pipeline_doses_are_measured_where_nothing_is_held_out(tiny_lm):
    lm, pairs = tiny_lm("llama"), make_pairs(10, prompts=False)
    spec = ExtractionSpec(DIGEST, lm.identity.model_hash, tier="smoke")
    splits = Splits(tuple(range(10)), (), ())
    with tempfile.TemporaryDirectory() as folder:
        found = extract_and_evaluate(
            lm, pairs, splits, spec, Path(folder), scorer=None, progress=lambda *told: None
        )

    assert len(found.vector.doses) == len(STRENGTHS)


def test_pipeline_same_spec_twice_gives_the_same_report(tiny_lm):
    first, second = (run(tiny_lm("llama"), make_pairs(40), KIND) for _ in range(2))

    assert first.vector.tensor_digest == second.vector.tensor_digest
    assert repeatable(first.report) == repeatable(second.report)


def test_pipeline_without_scorer_measures_log_probabilities(tiny_lm):
    report = run(tiny_lm("llama"), make_pairs(60)).report

    assert report["trait"]["scorer"] == report["dose_response"]["score"] == "log_prob"
    assert by_id(report)["effect"]["verdict"] != "insufficient"
    assert report["headlines"][0] == by_id(report)["prompting"]["reason"]
    assert len({sample["prompt"] for sample in report["samples"]}) == 2


def test_pipeline_pairs_without_prompts_are_insufficient_where_replies_matter(tiny_lm):
    report = run(tiny_lm("llama"), make_pairs(60, prompts=False)).report

    assert report["dose_response"] is None
    assert report["selection"]["pooling"] == "prompt_last"
    for name in ("steerability", "anti_steerable", "coherence", "effect", "prompting"):
        assert by_id(report)[name]["verdict"] == "insufficient"
    assert by_id(report)["auroc"]["verdict"] != "insufficient"


@pytest.mark.parametrize("scorer", [KIND, None])
@pytest.mark.parametrize("prompts", [True, False])
@pytest.mark.parametrize("tier", ["smoke", "standard"])
def test_pipeline_ten_pairs_is_insufficient_and_never_a_crash(tiny_lm, scorer, prompts, tier):
    report = run(tiny_lm("llama"), make_pairs(10, prompts), scorer, tier=tier).report

    assert report["grade"] in ("C", "F")
    assert report["verdict"] in ("insufficient", "fail")


def test_pipeline_choices_are_read_at_the_letter(tiny_lm):
    pairs = [replace(p, positive="( A )", negative="( B )") for p in make_pairs(60)]

    assert run(tiny_lm("llama"), pairs).report["selection"]["pooling"] == "answer_token"


def test_pipeline_progress_rises_from_start_to_end(tiny_lm):
    told = []
    run(tiny_lm("llama"), make_pairs(20), KIND, lambda *step: told.append(step), tier="smoke")

    assert [fraction for _, fraction, _ in told] == sorted(fraction for _, fraction, _ in told)
    assert told[-1][1] == 1.0
    assert list(dict.fromkeys(stage for stage, *_ in told)) == [
        "pilot",
        "extract",
        "select",
        *(family.name for family in families_of("smoke")),
        "report",
    ]


@pytest.mark.parametrize("stage", ["extract", "select", "steerability", "response", "controls", "report"])
def test_pipeline_progress_that_raises_cancels_and_leaves_no_hook(tiny_lm, stage):
    lm = tiny_lm("llama")
    before = sum(len(m._forward_hooks) for m in lm.model.modules())

    def cancel(now, fraction, message):
        if now == stage:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        run(lm, make_pairs(20), KIND, cancel, tier="smoke")
    assert sum(len(m._forward_hooks) for m in lm.model.modules()) == before


def test_pipeline_spec_for_another_model_is_refused(tiny_lm, tmp_path):
    lm, pairs = tiny_lm("llama"), make_pairs(20)
    spec = ExtractionSpec(DIGEST, DIGEST)

    with pytest.raises(ModelMismatchError, match="tiny-llama"):
        extract_and_evaluate(
            lm, pairs, split_pairs(pairs, DIGEST), spec, tmp_path, scorer=None, progress=lambda *told: None
        )


def test_pipeline_rows_beyond_the_context_are_counted(tiny_lm):
    pairs = make_pairs(30)
    pairs[3] = replace(pairs[3], positive="cat " * 90)

    assert run(tiny_lm("llama"), pairs, tier="smoke").report["counts"]["left_out"] == 1


def test_pipeline_pairs_that_look_the_same_end_with_a_plain_error(tiny_lm):
    pairs = [replace(p, positive=f"plus{i}", negative=f"minus{i}") for i, p in enumerate(make_pairs(20))]

    with pytest.raises(ExtractionError, match="look the same"):
        run(tiny_lm("llama"), pairs, tier="smoke")
