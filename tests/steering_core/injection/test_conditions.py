"""Items that act only in rows whose prompt meets a condition."""

import pytest
import torch

from steering_core.errors import InjectionError
from steering_core.injection import Condition, Steering, Window, steer, steer_batch
from steering_core.injection.generate import generate
from steering_core.models.sites import read_site
from steering_core.models.tokens import encode_prompt
from steering_core.spec import parse_site_key
from tests.steering_core.conftest import ALL_KINDS
from tests.steering_core.injection.conftest import acted, direction, logits

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [0, 0, 1, 9, 2, 4], [1, 3, 10, 12, 2, 4]])
REAL = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
PROMPTS = ["the cat sat on the mat", "dog", "the cat", "please sat on the fast mat world", "dog"]
T, F = True, False


def projections(lm, vector, key, rows):
    """The mean projection of each prompt on the unit direction, one prompt at a time."""
    (site, block), seen = parse_site_key(key), []
    hook = lm.sites.module(site, block).register_forward_hook(lambda m, i, o: seen.append(read_site(site, o)))
    for row in rows:
        logits(lm.model, torch.tensor([row]))
    hook.remove()
    unit = torch.from_numpy(vector.directions[key] / vector.norm(key))
    return [float((state[0] @ unit).mean()) for state in seen]


def halves(found):
    """A threshold that parts the middle two."""
    ordered = sorted(set(found))
    middle = len(ordered) // 2
    return (ordered[middle - 1] + ordered[middle]) / 2


def write(lm, **more):
    return lm.model.generate(
        IDS, attention_mask=REAL, **{"max_new_tokens": 3, "min_new_tokens": 3, "do_sample": False, **more}
    )


@pytest.mark.parametrize("kind", [kind for kind in ALL_KINDS if kind != "deepseek_v4"])
@pytest.mark.parametrize("above", [True, False])
def test_steer_when_acts_in_the_rows_where_it_holds_from_the_prompt_on(tiny_lm, make_vector, kind, above):
    lm, early, late = tiny_lm(kind), "resid_post.0", "resid_post.2"
    probe, vector = (make_vector(lm.identity, {key: direction(3)}) for key in (early, late))
    means = projections(lm, probe, early, [[1, 3, 7, 8, 2, 4], [1, 9, 2, 4], [1, 3, 10, 12, 2, 4]])
    when = Condition(probe, early, halves(means), above)
    item = Steering(vector, 0.3, when=when)

    found = acted(lm, late, steer(lm, [item]), lambda: write(lm))

    holds = [(mean > when.threshold) == above for mean in means]
    # Padding is not looked at, so whether it is moved along with its row says nothing.
    assert [row[2:] for row in found] == [[held] * 6 for held in holds]
    assert len(set(holds)) == 2


def test_steer_when_reads_one_of_several_residual_streams(tiny_lm, make_vector):
    lm, early, late = tiny_lm("deepseek_v4"), "resid_post@2.0", "resid_post@1.2"
    rows = [[1, 3, 7, 8, 2, 4], [1, 3, 10, 12, 2, 4]]
    probe, vector = (make_vector(lm.identity, {key: direction(3)}) for key in (early, late))
    means = projections(lm, probe, early, rows)
    item = Steering(vector, 0.3, when=Condition(probe, early, halves(means)))

    found = acted(lm, late, steer(lm, [item]), lambda: lm.model(torch.tensor(rows), use_cache=True))
    assert found == [[mean > halves(means)] * 6 for mean in means]


def test_steer_when_with_other_items_and_positions(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe, vector = (make_vector(lm.identity, {f"resid_post.{i}": direction(3)}) for i in (0, 2))
    always = Condition(probe, "resid_post.0", -1e9)
    never = Condition(probe, "resid_post.0", 1e9)
    for items, expected in [
        ([Steering(vector, 0.3, when=always, positions=Window(1, 7))], [F, T, T, T, T, T, T, F]),
        ([Steering(vector, 0.3, when=never), Steering(vector, 0.3, positions="response")], [F] * 6 + [T, T]),
        ([Steering(vector, 0.5, "project", when=always, positions="response")], [F] * 6 + [T, T]),
    ]:
        assert acted(lm, "resid_post.2", steer(lm, items), lambda: write(lm))[0] == expected


def test_steer_batch_when_belongs_to_its_row(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe, vector = (make_vector(lm.identity, {f"resid_post.{i}": direction(3)}) for i in (0, 2))
    always, never = (Condition(probe, "resid_post.0", at) for at in (-1e9, 1e9))
    mixes = [[Steering(vector, 0.3, when=always)], [Steering(vector, 0.3, when=never)], [(vector, 0.3)]]

    found = acted(lm, "resid_post.2", steer_batch(lm, mixes), lambda: write(lm))

    assert [any(row) for row in found] == [T, F, T]


def test_steer_when_in_beam_search_equals_the_search_in_the_rows_where_it_holds(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe = make_vector(lm.identity, {"resid_post.0": direction(3)})
    vector = make_vector(lm.identity, {"resid_post.2": direction(4)}, norm=60.0)
    means = projections(lm, probe, "resid_post.0", [[1, 3, 7, 8, 2, 4], [1, 9, 2, 4], [1, 3, 10, 12, 2, 4]])
    beams = {"num_beams": 3, "max_new_tokens": 8, "min_new_tokens": 8}
    with steer(lm, [Steering(vector, 0.5, when=Condition(probe, "resid_post.0", halves(means)))]):
        found = write(lm, **beams)
    with steer(lm, [(vector, 0.5)]):
        steered = write(lm, **beams)
    plain = write(lm, **beams)

    expected = [(steered if mean > halves(means) else plain)[row].tolist() for row, mean in enumerate(means)]
    assert found.tolist() == expected
    assert steered.tolist() != plain.tolist()


def test_generate_of_ours_when_decides_for_each_prompt_as_alone(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe = make_vector(lm.identity, {"resid_post.0": direction(3)})
    vector = make_vector(lm.identity, {"resid_post.2": direction(4)}, norm=60.0)
    means = projections(lm, probe, "resid_post.0", [encode_prompt(lm, prompt) for prompt in PROMPTS])
    with steer(lm, [Steering(vector, 0.5, when=Condition(probe, "resid_post.0", halves(means)))]):
        found = generate(lm, PROMPTS, max_new_tokens=10, temperature=0)
    with steer(lm, [(vector, 0.5)]):
        steered = generate(lm, PROMPTS, max_new_tokens=10, temperature=0)
    plain = generate(lm, PROMPTS, max_new_tokens=10, temperature=0)

    assert found == [s if m > halves(means) else p for s, p, m in zip(steered, plain, means, strict=True)]
    assert all(s != p for s, p in zip(steered, plain, strict=True))


def test_steer_when_teacher_forced_takes_the_prompts_tokens_only(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe, vector = (make_vector(lm.identity, {f"resid_post.{i}": direction(3)}) for i in (0, 2))
    means = projections(lm, probe, "resid_post.0", [[1, 3, 7], [1, 3, 10]])
    item = Steering(vector, 0.3, when=Condition(probe, "resid_post.0", halves(means)))
    context = steer(lm, [item], prompt_lengths=[3, 3], positions="response")

    found = acted(lm, "resid_post.2", context, lambda: logits(lm.model, IDS[[0, 2]]))

    assert found == [[F] * 3 + [mean > halves(means)] * 3 for mean in means]


@pytest.mark.parametrize(
    ("key", "positions"), [("resid_post.1", "all"), ("mlp_out.1", "prompt"), ("attn_out.0", Window(0))]
)
def test_steer_when_looks_at_or_after_what_is_steered_on_the_prompt_is_refused(
    tiny_lm, make_vector, key, positions
):
    lm = tiny_lm("llama")
    probe = make_vector(lm.identity, {"resid_post.1": direction(3)})
    when = Condition(probe, "resid_post.1", 0.0)
    vector, far = (
        make_vector(lm.identity, {key: direction(1)}),
        make_vector(lm.identity, {"attn_out.2": direction(1)}),
    )

    with pytest.raises(
        InjectionError, match=r"resid_post\.1, at or after .* positions='response'"
    ) as refused:
        steer(lm, [Steering(vector, 0.3, positions=positions), Steering(far, 0.3, when=when)])
    assert refused.value.code == "injection.condition_order"
    with steer(lm, [Steering(vector, 0.3, positions="response"), Steering(far, 0.3, when=when)]):
        pass


def test_steer_when_that_cannot_be_decided_is_refused(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe, vector = (make_vector(lm.identity, {f"resid_post.{i}": direction(3)}) for i in (1, 0))
    item = Steering(vector, 0.3, when=Condition(probe, "resid_post.1", 0.0), positions="response")

    def code(run, **options):
        with steer(lm, [item], **options), pytest.raises(InjectionError) as refused, torch.no_grad():
            run()
        return refused.value.code

    cache = lm.model(IDS, use_cache=True).past_key_values
    one = torch.ones(3, 1, dtype=torch.long)
    assert code(lambda: lm.model(IDS), prompt_lengths=[3] * 3) == "injection.undecided"
    assert code(lambda: lm.model(one, past_key_values=cache), prompt_lengths=[6] * 3) == "injection.undecided"
    assert code(lambda: lm.model(IDS)) == "injection.prompt_lengths"
    assert code(lambda: write(lm, prefill_chunk_size=4), prompt_lengths=[6, 4, 6]) == "injection.split_prompt"
    assert code(lambda: write(lm, prefill_chunk_size=4)) == "injection.prompt_lengths"


def test_steer_when_late_condition_is_in_time_for_the_response(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    probe, vector = (make_vector(lm.identity, {f"resid_post.{i}": direction(3)}) for i in (2, 0))
    item = Steering(vector, 0.3, when=Condition(probe, "resid_post.2", -1e9), positions="response")

    found = acted(lm, "resid_post.0", steer(lm, [item]), lambda: write(lm))

    assert found == [[F] * 6 + [T, T]] * 3
