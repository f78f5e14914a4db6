"""Which tokens are steered: teacher-forced, with a cache, padded, sampled, streamed, by beams and by us."""

import copy
from threading import Thread

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache, TextIteratorStreamer

from steering_core.errors import InjectionError
from steering_core.injection import Span, Steering, Window, steer
from steering_core.injection.generate import generate
from steering_core.injection.positions import Reading, tokens_at
from steering_core.models.tokens import encode_prompt
from tests.steering_core.conftest import ALL_KINDS
from tests.steering_core.injection.conftest import acted, direction, logits, residual

IDS = torch.tensor([[1, 3, 7, 8, 2, 4], [1, 3, 9, 6, 2, 4]])
# Two prompts of 6 and 4 tokens, padded on the left.
PADDED = torch.tensor([[1, 3, 7, 8, 2, 4], [0, 0, 1, 9, 2, 4]])
REAL = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
NEW = 4
T, F = True, False
LEFT_PADDED_KINDS = [kind for kind in ALL_KINDS if kind != "deepseek_v4"]
PROMPTS = ["the cat sat on the mat", "dog", "the cat", "please sat on the fast mat world", "dog"]


def vector_of(lm, make_vector, kind="llama", seed=1, norm=10.0):
    return make_vector(lm.identity, {residual(kind): direction(seed)}, norm=norm)


def write(lm, ids=PADDED, attention_mask=REAL, **more):
    given_more = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, **more}
    return lm.model.generate(ids, attention_mask=attention_mask, **given_more)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_steer_teacher_forced_positions_in_every_architecture(tiny_lm, make_vector, kind):
    lm, key = tiny_lm(kind), residual(kind)
    vector = vector_of(lm, make_vector, kind)
    mask = torch.tensor([[T, F, F, T, F, F], [F, F, F, F, F, T]])
    for options, expected in [
        ({"positions": "all"}, [[T] * 6] * 2),
        ({"positions": "last"}, [[F] * 5 + [T]] * 2),
        ({"positions": Window(1, 3)}, [[F, T, T, F, F, F]] * 2),
        ({"positions": Window(4)}, [[F] * 4 + [T] * 2] * 2),
        ({"positions": mask}, mask.tolist()),
        ({"positions": "prompt", "prompt_lengths": [2, 4]}, [[T, T, F, F, F, F], [T, T, T, T, F, F]]),
        ({"positions": "response", "prompt_lengths": [2, 4]}, [[F, F, T, T, T, T], [F, F, F, F, T, T]]),
        ({"outside": [Span([3], [2])]}, [[T, F, F, F, T, T]] * 2),
    ]:
        context = steer(lm, [(vector, 0.3)], **options)

        assert acted(lm, key, context, lambda: logits(lm.model, IDS, use_cache=False)) == expected


@pytest.mark.parametrize("kind", LEFT_PADDED_KINDS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"positions": "last"}, [[F] * 5 + [T] * 4] * 2),
        ({"positions": Window(2, 7)}, [[F, F, T, T, T, T, T, F, F], [F, F, F, F, T, T, T, T, T]]),
        ({"positions": "response"}, [[F] * 6 + [T] * 3] * 2),
        (
            {"positions": "response", "prompt_lengths": [6, 4]},
            [[F] * 6 + [T] * 3, [F] * 6 + [T] * 3],
        ),
        ({"positions": "prompt", "prompt_lengths": [6, 4]}, [[T] * 6 + [F] * 3, [F] * 2 + [T] * 4 + [F] * 3]),
        (
            {"positions": torch.tensor([[T, F, F, F, F, F, T], [F, F, T, F, F, F, F]])},
            [[T] + [F] * 5 + [T, F, F], [F, F, T] + [F] * 6],
        ),
    ],
)
def test_steer_generate_left_padded_positions(tiny_lm, make_vector, kind, options, expected):
    lm, key = tiny_lm(kind), residual(kind)
    context = steer(lm, [(vector_of(lm, make_vector, kind), 0.3)], **options)

    assert acted(lm, key, context, lambda: write(lm)) == expected


def test_steer_generate_prompt_without_lengths_is_what_the_first_pass_reads(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    context = steer(lm, [(vector_of(lm, make_vector), 0.3)], positions="prompt")

    found = acted(lm, "resid_post.1", context, lambda: write(lm))

    assert found == [[T] * 6 + [F] * 3] * 2


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma3_text", "deepseek_v3"])
@pytest.mark.parametrize("positions", ["prompt", "response", Window(3, 6)])
def test_steer_left_padded_row_writes_what_it_writes_alone(tiny_lm, make_vector, kind, positions):
    lm = tiny_lm(kind)
    vector = vector_of(lm, make_vector, kind, norm=100.0)
    with steer(lm, [(vector, 0.6)], positions=positions):
        together = write(lm)
        alone = write(lm, PADDED[1:, 2:], REAL[1:, 2:])
    plain = write(lm)

    assert together[1, 6:].tolist() == alone[0, 4:].tolist()
    assert together.tolist() != plain.tolist()


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize(
    "options", [{"positions": "response"}, {"positions": Window(4, 8)}, {"outside": [Span([4], [9])]}]
)
def test_steer_token_by_token_equals_the_whole_text_at_once(tiny_lm, make_vector, kind, options):
    lm = tiny_lm(kind)
    vector = vector_of(lm, make_vector, kind)
    text = torch.cat([IDS, torch.tensor([[7, 9, 10, 4, 8], [4, 7, 8, 9, 10]])], dim=1)
    with steer(lm, [(vector, 0.3)], **options), torch.no_grad():
        cache = DynamicCache(config=lm.model.config)
        parts = [lm.model(IDS, past_key_values=cache, use_cache=True).logits]
        parts += [
            lm.model(text[:, i : i + 1], past_key_values=cache, use_cache=True).logits for i in range(6, 11)
        ]
    with steer(lm, [(vector, 0.3)], prompt_lengths=[6, 6], **options):
        whole = logits(lm.model, text, use_cache=False)

    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=2e-3)
    assert not torch.allclose(logits(lm.model, text, use_cache=False), whole, atol=1e-2)


def test_steer_first_pass_without_a_cache_object_is_known_to_the_second(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    spans = [Span([4], [9])]

    def run():
        made = lm.model(IDS, use_cache=True).past_key_values
        lm.model(torch.tensor([[7], [9]]), past_key_values=made, use_cache=True)

    found = acted(lm, "resid_post.1", steer(lm, [(vector_of(lm, make_vector), 0.3)], outside=spans), run)
    assert found == [[T] * 5 + [F, F], [T] * 5 + [F, T]]


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma3_text"])
def test_steer_static_cache_positions_are_those_of_the_dynamic_one(tiny_lm, make_vector, kind):
    lm = tiny_lm(kind)
    new = {"max_new_tokens": 8, "min_new_tokens": 8}
    both = [steer(lm, [(vector_of(lm, make_vector), 0.3)], positions=Window(2, 11)) for _ in range(2)]

    static = acted(lm, "resid_post.1", both[0], lambda: write(lm, cache_implementation="static", **new))

    assert static == acted(lm, "resid_post.1", both[1], lambda: write(lm, **new))
    assert sum(static[1]) == 9


def test_steer_sampled_sequences_of_one_prompt_are_steered_alike(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    context = steer(
        lm, [(vector_of(lm, make_vector), 0.3)], positions=Window(2, 7), outside=[Span([4], [99])]
    )

    found = acted(lm, "resid_post.1", context, lambda: write(lm, do_sample=True, num_return_sequences=3))
    assert found == [[F, F, T, T, T, F, F, F, F]] * 3 + [[F, F, F, F, T, F, F, F, F]] * 3


def test_steer_streamed_text_is_the_generated_one(demo, make_vector):
    ids = torch.tensor([encode_prompt(demo, "how do I bake bread")])
    vector = make_vector(demo.identity, {"resid_post.2": direction(1, 128)})
    streamer = TextIteratorStreamer(demo.tokenizer, skip_prompt=True)
    with steer(demo, [(vector, 0.3)], positions="response"):
        expected = write(demo, ids, torch.ones_like(ids), max_new_tokens=20)
        thread = Thread(
            target=write,
            args=(demo, ids, torch.ones_like(ids)),
            kwargs={"max_new_tokens": 20, "streamer": streamer},
        )
        thread.start()
        text = "".join(streamer)
        thread.join()

    assert text == demo.tokenizer.decode(expected[0, ids.shape[1] :])


@pytest.mark.parametrize(
    "options",
    [
        {"positions": "response", "prompt_lengths": [6, 4]},
        {"outside": [Span([4], [9])]},
        {"positions": Window(5, 9)},
    ],
)
def test_steer_beam_search_equals_the_one_without_a_cache(tiny_lm, make_vector, options):
    lm = tiny_lm("llama")
    vector = vector_of(lm, make_vector)
    if "prompt_lengths" in options:
        options = {**options, "prompt_lengths": [6] * 3 + [4] * 3}
    with steer(lm, [(vector, 0.8)], **options):
        cached, plain = (write(lm, num_beams=3, max_new_tokens=12, use_cache=use) for use in (True, False))

    assert cached.tolist() == plain.tolist()
    assert cached.tolist() != write(lm, num_beams=3, max_new_tokens=12).tolist()


def test_steer_span_is_off_between_its_markers_in_each_beam(tiny_lm, make_vector):
    """Every hypothesis is scored as the model scores its text at once."""
    lm = tiny_lm("llama")
    spans = {"outside": [Span([7], [9]), Span([10], [12])]}
    with steer(lm, [(vector_of(lm, make_vector), 0.8)], **spans):
        found = write(
            lm,
            num_beams=4,
            max_new_tokens=14,
            num_return_sequences=4,
            return_dict_in_generate=True,
            output_scores=True,
            length_penalty=0.0,
            eos_token_id=None,
        )
        whole = torch.log_softmax(
            logits(
                lm.model,
                found.sequences,
                attention_mask=torch.nn.functional.pad(REAL.repeat_interleave(4, 0), (0, 14), value=1),
                use_cache=False,
            ),
            dim=-1,
        )

    chosen = whole[:, 5:-1].gather(-1, found.sequences[:, 6:, None])[..., 0].sum(1)
    assert torch.allclose(chosen, found.sequences_scores, atol=1e-3)


@pytest.mark.parametrize("kind", ["llama", "mistral", "deepseek_v4"])
@pytest.mark.parametrize(
    "options",
    [
        {"positions": "prompt"},
        {"positions": "response"},
        {"positions": Window(3, 9)},
        {"outside": [Span([12], [13])]},
    ],
)
def test_generate_of_ours_steers_each_reply_as_transformers_does(tiny_lm, make_vector, kind, options):
    lm = tiny_lm(kind)
    with steer(lm, [(vector_of(lm, make_vector, kind, norm=100.0), 0.6)], **options):
        expected = []
        for prompt in PROMPTS:
            ids = torch.tensor([encode_prompt(lm, prompt)])
            out = write(lm, ids, torch.ones_like(ids), max_new_tokens=12, min_new_tokens=0)
            expected.append(lm.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
        found = generate(lm, PROMPTS, max_new_tokens=12, temperature=0)

    assert found == expected
    assert found != generate(lm, PROMPTS, max_new_tokens=12, temperature=0)


def refusal(run):
    with pytest.raises(InjectionError) as refused:
        run()
    return refused.value.code


def test_steer_what_cannot_be_told_of_a_pass_is_refused(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    vector = vector_of(lm, make_vector)

    def code(run, **options):
        with steer(lm, [(vector, 0.3)], **options):
            return refusal(run)

    embedded = lm.model.get_input_embeddings()(IDS).detach()
    three = torch.ones(3, 6, dtype=torch.bool)
    assert code(lambda: logits(lm.model, IDS), positions="response") == "injection.prompt_lengths"
    assert code(lambda: write(lm, use_cache=False), positions="prompt") == "injection.prompt_lengths"
    assert code(lambda: write(lm, prefill_chunk_size=4), positions="prompt") == "injection.prompt_lengths"
    assert code(lambda: write(lm), positions="prompt", prompt_lengths=[6]) == "injection.rows"
    assert code(lambda: write(lm), positions=three) == "injection.rows"
    assert code(lambda: write(lm), positions=three[:2, :3]) == "injection.mask"
    assert (
        code(lambda: lm.model(inputs_embeds=embedded), outside=[Span([3], [4])]) == "injection.no_token_ids"
    )
    odd = torch.ones(2, 5)
    assert (
        code(lambda: lm.model.model(IDS, attention_mask=odd), positions=Window(1))
        == "injection.attention_mask"
    )


def test_steer_prompt_read_in_chunks_with_its_length_is_steered_whole(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    context = steer(lm, [(vector_of(lm, make_vector), 0.3)], positions="prompt", prompt_lengths=[6, 4])

    found = acted(lm, "resid_post.1", context, lambda: write(lm, prefill_chunk_size=4))

    assert found == [[T] * 6 + [F] * 3, [F] * 2 + [T] * 4 + [F] * 3]


def test_steer_cache_that_was_filled_elsewhere_or_rewound_is_not_guessed_at(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    vector, one = vector_of(lm, make_vector), torch.tensor([[7], [9]])
    with torch.no_grad():
        before = lm.model(IDS, use_cache=True).past_key_values

        for options, code in [
            ({"positions": "response"}, "injection.prompt_lengths"),
            ({"outside": [Span([3], [4])]}, "injection.unseen_text"),
        ]:
            with steer(lm, [(vector, 0.3)], **options):
                assert refusal(lambda: lm.model(one, past_key_values=copy.deepcopy(before))) == code
        with steer(lm, [(vector, 0.3)], outside=[Span([3], [4])]):
            inside = lm.model(IDS, use_cache=True).past_key_values
            inside.crop(-2)
            assert refusal(lambda: lm.model(one, past_key_values=inside)) == "injection.unseen_text"


def test_steer_copied_cache_reorders_itself_and_not_the_one_it_was_copied_from(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    with steer(lm, [(vector_of(lm, make_vector), 0.3)], outside=[Span([3], [4])]), torch.no_grad():
        first = DynamicCache(config=lm.model.config)
        lm.model(IDS, past_key_values=first, use_cache=True)
        kept = first.layers[0].keys.clone()
        second = copy.deepcopy(first)
        second.reorder_cache(torch.tensor([1, 1]))

    assert torch.equal(first.layers[0].keys, kept)
    assert torch.equal(second.layers[0].keys, kept[[1, 1]])
    assert "reorder_cache" not in vars(first)


def test_steer_nested_blocks_each_follow_a_cache_and_let_go_of_it(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    vector, cache = vector_of(lm, make_vector), DynamicCache(config=lm.model.config)
    spans = {"outside": [Span([6], [99])]}
    with steer(lm, [(vector, 0.3)], **spans):
        with steer(lm, [(vector, 0.3)], **spans), torch.no_grad():
            lm.model(IDS, past_key_values=cache, use_cache=True)
            cache.reorder_cache(torch.tensor([1, 0]))
        outer = acted(
            lm,
            "resid_post.1",
            steer(lm, []),
            lambda: lm.model(torch.tensor([[7], [7]]), past_key_values=cache, use_cache=True),
        )

    assert outer == [[F], [F]]
    assert "reorder_cache" not in vars(cache)


@given(
    pads=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    length=st.integers(6, 9),
    cut=st.integers(0, 5),
    start=st.integers(0, 8),
    size=st.integers(1, 8),
    right=st.booleans(),
)
@settings(deadline=None)
def test_tokens_at_window_counts_real_tokens_wherever_the_padding_is(pads, length, cut, start, size, right):
    rows = [[F] * n + [T] * (length - n) for n in pads]
    rows = [row[::-1] for row in rows] if right else rows
    reading = Reading(
        past=cut,
        shape=(len(rows), length - cut),
        device=torch.device("cpu"),
        ids=None,
        attention=torch.tensor(rows).long(),
        position_ids=None,
        has_cache=True,
        order=None,
        prompt_lengths=None,
        from_start=True,
    )

    found = tokens_at(Window(start, start + size), reading)

    expected = [
        [real and start <= sum(row[:i]) < start + size for i, real in enumerate(row)][cut:] for row in rows
    ]
    assert found.tolist() == expected


def test_steer_items_at_other_positions_at_one_place_do_not_mix(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    one, two = (vector_of(lm, make_vector, seed=i) for i in (1, 2))
    items = [Steering(one, 0.3, positions=Window(0, 2)), Steering(two, -0.2, positions=Window(4)), (one, 0.1)]
    with steer(lm, items):
        together = logits(lm.model, IDS)
    with (
        steer(lm, [(one, 0.3)], positions=Window(0, 2)),
        steer(lm, [(two, -0.2)], positions=Window(4)),
        steer(lm, [(one, 0.1)]),
    ):
        nested = logits(lm.model, IDS)

    assert torch.allclose(together, nested, atol=1e-4)
