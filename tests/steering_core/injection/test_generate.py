import pytest
import torch

from steering_core.errors import InjectionError
from steering_core.injection import generate as module
from steering_core.injection.cache import growing_cache, keep_rows
from steering_core.injection.generate import generate
from steering_core.injection.hooks import steer
from steering_core.models.tokens import encode_prompt

PROMPTS = ["the cat sat on the mat", "dog", "the cat", "please sat on the fast mat world", "dog"]
KINDS = ("llama", "gpt2", "gpt_neox", "qwen3", "mistral", "gemma2", "gpt_oss", "mixtral", "deepseek_v4")


def additions(n, block=1, seed=0, site="resid_post"):
    return {(site, block): 4 * torch.randn(n, 32, generator=torch.Generator().manual_seed(seed))}


@pytest.mark.parametrize("kind", KINDS)
def test_generate_greedy_equals_transformers_own(tiny_lm, kind):
    lm = tiny_lm(kind)
    expected = []
    for prompt in PROMPTS:
        ids = torch.tensor([encode_prompt(lm, prompt)])
        out = lm.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False)
        expected.append(lm.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))

    assert generate(lm, PROMPTS, max_new_tokens=10, temperature=0) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_generate_sampled_reply_does_not_depend_on_its_neighbours(tiny_lm, kind):
    lm = tiny_lm(kind)
    given = additions(len(PROMPTS), site="mlp_out" if kind == "deepseek_v4" else "resid_post")
    together = generate(lm, PROMPTS, additions=given, max_new_tokens=12, seed=3)
    alone = [
        generate(lm, [p], additions={k: v[i : i + 1] for k, v in given.items()}, max_new_tokens=12, seed=3)[0]
        for i, p in enumerate(PROMPTS)
    ]

    assert together == alone
    assert len(set(together)) > 2


@pytest.mark.parametrize("kind", ["llama", "mistral", "deepseek_v4"])
def test_keep_rows_the_rest_reads_on_as_if_alone(tiny_lm, kind):
    model = tiny_lm(kind).model
    ids = torch.randint(4, 28, (3, 24), generator=torch.Generator().manual_seed(1))
    kept = torch.tensor([0, 2])
    with torch.inference_mode():
        whole = model(ids[kept], use_cache=False).logits
        cache = growing_cache(model, 16)
        for start, end in [(0, 5), *((i, i + 1) for i in range(5, 12))]:
            model(ids[:, start:end], past_key_values=cache, use_cache=True)
        keep_rows(cache, kept)
        after = [
            model(ids[kept, i : i + 1], past_key_values=cache, use_cache=True).logits for i in range(12, 24)
        ]

    assert torch.allclose(torch.cat(after, dim=1), whole[:, 12:], atol=1e-3)


@pytest.mark.parametrize("site", ["mlp_out", "attn_out", "resid_post@1"])
def test_generate_v4_additions_at_each_site_change_the_replies(tiny_lm, site):
    lm = tiny_lm("deepseek_v4")
    plain = generate(lm, PROMPTS, max_new_tokens=8)

    assert generate(lm, PROMPTS, additions=additions(5, site=site), max_new_tokens=8) != plain


def test_generate_many_small_batches_give_the_same_replies(tiny_lm, monkeypatch):
    lm = tiny_lm("llama")
    whole = generate(lm, PROMPTS * 8, additions=additions(40), max_new_tokens=12)
    monkeypatch.setattr(module, "MAX_LENGTH_SPREAD", 0)

    assert generate(lm, PROMPTS * 8, additions=additions(40), max_new_tokens=12) == whole


def test_generate_same_prompt_without_steering_draws_the_same_numbers(tiny_lm):
    lm = tiny_lm("llama")

    assert len(set(generate(lm, ["the cat"] * 5, max_new_tokens=12, seed=1))) == 1
    assert len({generate(lm, ["the cat"], max_new_tokens=12, seed=s)[0] for s in range(6)}) > 1


def test_generate_inside_steer_equals_the_same_addition_per_row(tiny_lm, make_vector):
    lm = tiny_lm("llama")
    vector = make_vector(lm.identity, {"resid_post.1": torch.randn(32).numpy()})
    row = torch.from_numpy(vector.addition(0.5, "resid_post.1"))
    with steer(lm, [(vector, 0.5)]):
        inside = generate(lm, PROMPTS, max_new_tokens=10)

    assert generate(lm, PROMPTS, additions={("resid_post", 1): row.repeat(5, 1)}, max_new_tokens=10) == inside
    assert generate(lm, PROMPTS, max_new_tokens=10) != inside


def test_generate_reply_length_is_bounded_by_the_request_and_the_model(tiny_lm):
    lm = tiny_lm("llama")
    texts = generate(lm, ["cat " * 50, "dog"], max_new_tokens=6, seed=5)

    assert all(len(text.split()) <= 6 for text in texts)
    assert len(generate(lm, ["cat " * 58], max_new_tokens=30)[0].split()) <= 2


def test_generate_progress_that_raises_stops_and_leaves_no_hook(tiny_lm):
    lm = tiny_lm("llama")
    before = sum(len(m._forward_hooks) for m in lm.model.modules())

    def cancel(fraction):
        raise TimeoutError(f"at {fraction}")

    with pytest.raises(TimeoutError) as caught:
        generate(lm, PROMPTS, additions=additions(5), max_new_tokens=20, progress=cancel)
    assert caught.traceback
    assert sum(len(m._forward_hooks) for m in lm.model.modules()) == before


def test_generate_progress_rises_to_at_most_one(tiny_lm):
    told = []
    generate(tiny_lm("llama"), PROMPTS, max_new_tokens=30, progress=told.append)

    assert told
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1


def test_generate_misfit_is_refused(tiny_lm):
    lm = tiny_lm("llama")

    with pytest.raises(InjectionError, match="5 rows and the steering is for 2"):
        generate(lm, PROMPTS, additions=additions(2))
    with pytest.raises(InjectionError, match="Shorten the prompt"):
        generate(lm, ["cat " * 100])


def test_generate_no_prompts_gives_no_replies(tiny_lm):
    assert generate(tiny_lm("llama"), []) == []


def test_generate_token_ids_of_a_prompt_reply_like_the_prompt(tiny_lm):
    lm = tiny_lm("llama")
    ids = [tuple(encode_prompt(lm, prompt)) for prompt in PROMPTS]

    assert generate(lm, ids, max_new_tokens=8, temperature=0) == generate(
        lm, PROMPTS, max_new_tokens=8, temperature=0
    )
    with pytest.raises(InjectionError, match="has 64 tokens"):
        generate(lm, [(3,) * 64])
