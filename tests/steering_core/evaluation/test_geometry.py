from dataclasses import replace

import numpy as np
import pytest

from steering_core.evaluation import claims, geometry, stability
from steering_core.evaluation.axis import Axis, cosine
from steering_core.evaluation.cost import counted
from steering_core.evaluation.evidence import MIN_CLUSTERS, MIN_ITEMS
from steering_core.evaluation.gates import worst
from steering_core.evaluation.lexical_baseline import d_prime
from steering_core.evaluation.ranking import Projections
from steering_core.evaluation.subject import Findings
from steering_core.extraction.statistics import Statistics, write_statistics
from steering_core.spec import Provenance

D_MODEL = 128


def measured(subject):
    return {m.definition.id: m for m in geometry.measure(subject, Findings(), lambda done: None).metrics}


def existence_gate(metrics):
    return worst([m.verdict for m in metrics.values() if m.definition.gate == "existence"])


def turned(subject, direction):
    """The same file with another tensor in it."""
    directions = {subject.key: np.asarray(direction, np.float32)}
    return replace(subject, vector=replace(subject.vector, directions=directions, set_points={}))


def swapped(pairs, share):
    chosen = np.random.default_rng(4).permutation(len(pairs))[: round(share * len(pairs))]
    flips = set(chosen.tolist())
    return [
        replace(p, positive=p.negative, negative=p.positive) if i in flips else p for i, p in enumerate(pairs)
    ]


def planted(subject, file, differences):
    """The subject with activations that differ by these rows, (n_pairs, d_model), and its mean as vector."""
    known = subject.statistics
    base = 5 * np.random.default_rng(7).standard_normal((known.n_pairs, D_MODEL)).astype(np.float32)
    prefix = f"{subject.pooling}/{subject.key}"
    with write_statistics(file, known.model, known.reading, known.labels) as writer:
        writer.put(f"{prefix}/positive", 0, base + differences.astype(np.float32))
        writer.put(f"{prefix}/negative", 0, base)
        writer.put("norms", 0, np.linalg.norm(base, axis=1, keepdims=True).astype(np.float64))
    statistics = Statistics(file)
    norms = {subject.key: statistics.residual_norm(subject.place[1], statistics.split("train"))}
    vector = replace(subject.vector, residual_norms=norms)
    shift = differences[statistics.split("train")].mean(0)
    return turned(replace(subject, statistics=statistics, vector=vector), shift)


@pytest.mark.parametrize(
    ("axis", "verdict", "warned"),
    [
        ("formality", "pass", set()),
        ("confidence", "pass", set()),
        ("sentiment", "pass", set()),
        ("warmth", "warn", {"length", "leakage"}),
    ],
)
def test_measure_honest_vector_exists_and_warmth_is_longer(subject_of, axis, verdict, warned):
    pooling = "next_turn" if axis == "warmth" else "response_mean"
    found = measured(subject_of(axis, n_pairs=200, pooling=pooling))

    assert existence_gate(found) == verdict
    assert {name for name, m in found.items() if m.verdict != "pass" and m.definition.gate} == warned


def test_measure_costs_no_forward_pass(subject_of):
    subject = subject_of()

    with counted(subject.lm) as cost:
        measured(subject)

    assert (cost.forward_rows, cost.tokens) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_measure_random_direction_fails_to_exist(subject_of, seed):
    subject = subject_of()
    drawn = np.random.default_rng(seed).standard_normal(D_MODEL)
    found = measured(turned(subject, drawn * subject.vector.norm(subject.key) / np.linalg.norm(drawn)))

    assert {found[name].verdict for name in ("existence", "scale", "provenance")} == {"fail"}


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_measure_swapped_labels_fail_to_exist(subject_of, share):
    pairs = swapped(subject_of(n_pairs=160).pairs, share)
    found = measured(subject_of(pairs=pairs))

    assert found["paired_accuracy"].verdict == "fail"
    assert found["paired_accuracy"].value == pytest.approx(1 - share, abs=0.12)


def test_measure_axis_that_the_model_has_not_learned_fails(subject_of):
    found = measured(subject_of("alphabetical"))

    assert (found["auroc"].verdict, found["ratio"].verdict) == ("fail", "fail")
    assert "hardly distinguishes the poles" in found["ratio"].reason


def test_measure_turned_vector_fails(subject_of):
    subject = subject_of()
    found = measured(turned(subject, -subject.vector.directions[subject.key]))

    assert {found[name].verdict for name in ("auroc", "existence", "scale", "provenance")} == {"fail"}


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1000, "fail"), (0.001, "fail"), (2.2, "fail"), (1.7, "warn"), (1.2, "pass")]
)
def test_scale_rescaled_vector_is_found_out(subject_of, factor, verdict):
    subject = subject_of()
    found, facts = claims.scale(Axis.of(turned(subject, factor * subject.vector.directions[subject.key])))

    assert found.verdict == verdict
    assert found.value == pytest.approx(1 / factor, rel=1e-3)
    assert facts["natural_shift"] == pytest.approx(subject.vector.norm(subject.key), rel=1e-3)


def test_scale_wrong_residual_norm_fails(subject_of):
    subject = subject_of()
    norms = {subject.key: 3 * subject.vector.residual_norms[subject.key]}
    found, _ = claims.scale(Axis.of(replace(subject, vector=replace(subject.vector, residual_norms=norms))))

    assert (found.verdict, found.beside[1]) == ("fail", pytest.approx(1 / 3))


def test_scale_direction_of_one_coordinate_is_no_pass(subject_of, tmp_path):
    subject = subject_of()
    differences = np.zeros((subject.statistics.n_pairs, D_MODEL))
    differences[:, 5] = 10.0
    found, facts = claims.scale(Axis.of(planted(subject, tmp_path / "one", differences)))

    assert (found.verdict, facts["largest_coordinate"]) == ("warn", 1.0)


@pytest.mark.parametrize(("angle", "verdict"), [(20, "pass"), (45, "warn"), (70, "fail")])
def test_provenance_claimed_mean_difference_must_be_one(subject_of, angle, verdict):
    subject = subject_of()
    own = subject.vector.directions[subject.key].astype(float)
    other = np.random.default_rng(0).standard_normal(D_MODEL)
    other -= (other @ own) / (own @ own) * own
    other *= np.linalg.norm(own) / np.linalg.norm(other)
    radians = np.radians(angle)
    found = claims.provenance(Axis.of(turned(subject, np.cos(radians) * own + np.sin(radians) * other)))

    assert (found.verdict, found.definition.gate) == (verdict, "existence")
    assert found.value == pytest.approx(np.cos(radians), abs=1e-5)


def test_provenance_other_method_or_other_pairs_decide_nothing(subject_of):
    subject = subject_of()
    made = subject.vector.provenance
    known = subject.statistics
    migrated = replace(subject, vector=replace(subject.vector, provenance=replace(made, method="migrated")))
    elsewhere = Provenance("mean_difference", made.pooling, "sha256:elsewhere", "", "tests")
    known.dataset_digest, before = made.dataset_digest, known.dataset_digest
    foreign = replace(subject, vector=replace(subject.vector, provenance=elsewhere))
    gates = [claims.provenance(Axis.of(s)).definition.gate for s in (subject, migrated, foreign)]
    known.dataset_digest = before

    assert gates == ["existence", None, None]


def test_measure_twelve_pairs_are_insufficient_and_say_how_many_would_do(subject_of):
    found = measured(subject_of(n_pairs=12))

    assert existence_gate(found) == "insufficient"
    assert found["auroc"].verdict == found["existence"].verdict == "insufficient"
    n_test, wanted = found["auroc"].sample.n, found["auroc"].needed
    assert wanted * n_test / 12 >= MIN_ITEMS > n_test
    assert wanted * found["auroc"].sample.n_groups / 12 >= MIN_CLUSTERS


def test_measure_planted_noise_has_no_direction(subject_of, tmp_path):
    subject = subject_of()
    noise = np.random.default_rng(1).standard_normal((subject.statistics.n_pairs, D_MODEL))
    found = measured(planted(subject, tmp_path / "noise", noise))

    assert {found[name].verdict for name in ("existence", "paired_accuracy", "split_half")} == {"fail"}
    assert found["consistency"].value == pytest.approx(0, abs=0.02)


def test_measure_planted_shift_comes_back(subject_of, tmp_path):
    subject = subject_of()
    rng = np.random.default_rng(1)
    n, shift, noise = subject.statistics.n_pairs, np.zeros(D_MODEL), 0.5
    shift[:64] = 1.0
    found = measured(planted(subject, tmp_path / "shift", shift + noise * rng.standard_normal((n, D_MODEL))))

    # Two differences share |shift|^2 of |shift|^2 + noise^2 d.
    assert found["consistency"].value == pytest.approx(64 / (64 + noise**2 * D_MODEL), abs=0.02)
    assert found["scale"].value == pytest.approx(1, abs=0.01)
    assert {found[n].verdict for n in ("existence", "paired_accuracy", "split_half")} == {"pass"}


def test_robust_mean_few_loud_pairs_are_named(subject_of, tmp_path):
    subject = subject_of()
    differences = np.zeros((subject.statistics.n_pairs, D_MODEL))
    differences[:, 0] = 1.0
    differences[:3, 1] = 80.0
    found, facts = stability.robust_mean(Axis.of(planted(subject, tmp_path / "poison", differences)))

    assert found.verdict == "fail"
    loud = {subject.data.train[i] + 1 for i in range(3)}
    assert {row["row"] for row in facts["influential"][:3]} == loud


def test_reliabilities_planted_shift_is_the_cosine_with_the_truth(subject_of, tmp_path):
    subject = subject_of(n_pairs=200)
    rng, truth = np.random.default_rng(2), np.zeros(D_MODEL)
    truth[0] = 1.0
    rows = truth + rng.standard_normal((subject.statistics.n_pairs, D_MODEL))
    axis = Axis.of(planted(subject, tmp_path / "weak", rows))

    assert stability.reliabilities(axis).mean() == pytest.approx(cosine(axis.unit, truth), abs=0.08)


def test_random_direction_p_is_small_for_the_shift_and_even_for_others(subject_of):
    axis = Axis.of(subject_of())
    shift = axis.test_differences.mean(0)
    others = np.random.default_rng(3).standard_normal((40, D_MODEL))
    found = [stability.random_direction_p(Axis.of(turned(axis.subject, other)), shift) for other in others]

    assert stability.random_direction_p(axis, shift) == 0.001
    assert np.mean(np.array(found) <= 0.05) <= 0.1


@pytest.mark.parametrize(("gap", "shared"), [(0.0, 1.0), (100.0, 0.0)])
def test_overlap_of_the_same_and_of_parted_poles(gap, shared):
    drawn = np.random.default_rng(0).standard_normal(500)

    assert geometry.overlap(Projections(drawn + gap, drawn)) == shared


def test_d_prime_of_two_normals_is_their_distance():
    rng = np.random.default_rng(0)
    found = Projections(2.0 + rng.standard_normal(20_000), rng.standard_normal(20_000))

    assert d_prime(found) == pytest.approx(2.0, abs=0.05)


def test_selectivity_control_task_is_chance_where_the_trait_is_not(subject_of):
    gain, control = geometry.selectivity(Axis.of(subject_of()))

    assert control == pytest.approx(0.5, abs=0.15)
    assert gain == pytest.approx(0.5, abs=0.15)
