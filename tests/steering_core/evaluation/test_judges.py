from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from steering_core.errors import EvaluationError
from steering_core.evaluation.contexts import examples_for, instructed
from steering_core.evaluation.judges import (
    axis_for,
    axis_of,
    judges_for,
    local_judge,
    log_prob_judge,
    probe_judge,
    scorer_judge,
)
from steering_core.evaluation.number_answer import NumberReader

N_READ = 16


@pytest.fixture(scope="module")
def subject(subject_of: Any) -> Any:
    return subject_of(n_pairs=200)


@pytest.fixture(scope="module")
def answers(subject: Any) -> Any:
    """Held-out answers of both poles as (prompt, reply)."""
    few = [subject.pairs[i] for i in (*subject.data.test, *subject.data.select)[:N_READ]]
    return [(p.prompt, p.positive) for p in few], [(p.prompt, p.negative) for p in few]


def apart(judge: Any, answers: Any) -> float:
    """Share of pairs whose positive answer scores higher."""
    positive, negative = map(judge.read, answers)
    return float((positive > negative).mean())


def test_log_prob_judge_tells_held_out_answers_apart_by_instructions(subject: Any, answers: Any) -> None:
    contexts = instructed(subject.lm, subject.scorer.instructions[0])

    assert apart(log_prob_judge(subject.lm, contexts), answers) >= 0.9


def test_log_prob_judge_tells_held_out_answers_apart_by_examples(subject: Any, answers: Any) -> None:
    contexts = examples_for(subject, [prompt for prompt, _ in answers[0]], 72)

    assert contexts is not None
    assert apart(log_prob_judge(subject.lm, contexts), answers) >= 0.9


def test_examples_for_takes_as_many_as_there_is_room_for_and_no_test_pair(subject: Any) -> None:
    prompts = [subject.pairs[i].prompt for i in subject.data.test]
    whole, cut = (
        examples_for(replace(subject, lm=replace(subject.lm, max_positions=n)), prompts, 72)
        for n in (1024, 250)
    )
    none = examples_for(replace(subject, lm=replace(subject.lm, max_positions=100)), prompts, 72)

    assert whole is not None
    assert cut is not None
    assert whole.label == "4 examples in the prompt"
    assert cut.label < whole.label
    assert none is None
    assert not any(prompt in whole.texts[0] for prompt in set(prompts))


def test_probe_axis_has_train_poles_at_one_and_tells_held_out_answers_apart(
    subject: Any, answers: Any
) -> None:
    train = [subject.data.pairs[i] for i in subject.data.train[:24]]
    seen = [subject.pairs[i] for i in subject.data.train[:24]]

    judge = probe_judge(subject.lm, axis_of(subject.lm, subject.place, train))

    assert judge.read([(p.prompt, p.positive) for p in seen]).mean() == pytest.approx(1, abs=1e-4)
    assert judge.read([(p.prompt, p.negative) for p in seen]).mean() == pytest.approx(-1, abs=1e-4)
    assert apart(judge, answers) >= 0.9


def test_axis_for_is_read_from_pairs_and_not_from_the_vector(subject: Any) -> None:
    random = np.random.default_rng(0).standard_normal(128).astype(np.float32)
    other = replace(subject.vector, directions={subject.key: random})

    own, foreign = axis_for(replace(subject, shared={})), axis_for(replace(subject, vector=other, shared={}))

    assert np.array_equal(own.unit, foreign.unit)


def test_judges_cannot_read_an_empty_reply(subject: Any, answers: Any) -> None:
    prompt, reply = answers[0][0]

    for judge in judges_for(subject, [prompt]):
        whole, gap = (
            judge.read([(prompt, reply), (prompt, reply)]),
            judge.read([(prompt, reply), (prompt, " ")]),
        )
        assert gap[0] == pytest.approx(whole[0], abs=1e-4)
        assert np.isnan(gap[1])


def test_scorer_judge_is_the_scorer(subject: Any, answers: Any) -> None:
    found = scorer_judge(subject.scorer).read(answers[0])

    assert found.tolist() == [subject.scorer.score(*one) for one in answers[0]]


def numbers_lm(lm: Any, *, whole: bool) -> Any:
    """A tiny random model whose tokenizer writes 85 as one token, or as 8 and 5."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ("<unk>", "<end>", *(str(n) for n in range(101 if whole else 10)), *("rate", "this", ":"))
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    split = pre_tokenizers.Digits(individual_digits=not whole)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), split])
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, initializer_range=0.5,
    )  # fmt: skip
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<end>")
    return replace(lm, model=LlamaForCausalLM(config).eval(), tokenizer=wrapped)


def by_hand(lm: Any, prompt: list[int]) -> tuple[float, float]:
    """The chance that each number is what follows, and that no digit does, one pass for each."""
    import torch

    def chances(ids: list[int]) -> Any:
        with torch.inference_mode():
            return lm.model(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1).double().numpy()

    spelled = {n: lm.tokenizer(str(n))["input_ids"] for n in range(101)}
    total = mass = 0.0
    for number, ids in spelled.items():
        chance = np.prod([chances(prompt + ids[:n])[token] for n, token in enumerate(ids)])
        longer = {o[len(ids)] for o in spelled.values() if o[: len(ids)] == ids and len(o) > len(ids)}
        chance *= 1 - sum(chances(prompt + ids)[token] for token in longer)
        total, mass = total + number * chance, mass + chance
    return total / mass, mass


@pytest.mark.parametrize("whole", [True, False])
def test_expected_number_is_that_of_every_number_by_hand(tiny_lm: Any, whole: bool) -> None:
    lm = numbers_lm(tiny_lm("llama"), whole=whole)
    prompts = [lm.tokenizer(text)["input_ids"] for text in ("rate this :", "this", ": : this rate")]

    values, masses = NumberReader(lm).expected(prompts)

    for prompt, value, mass in zip(prompts, values, masses, strict=True):
        assert (value, mass) == pytest.approx(by_hand(lm, prompt), rel=1e-4)
    assert masses.max() <= 1


def test_local_judge_without_enough_on_numbers_has_not_answered(
    tiny_lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = local_judge(numbers_lm(tiny_lm("llama"), whole=True), "rate {question} {answer} :")
    answered = (np.array([80.0, 20.0]), np.array([0.26, 0.24]))
    monkeypatch.setattr(NumberReader, "expected", lambda self, prompts: answered)

    found = judge.read([("this", "rate"), ("rate", "this")])

    assert found[0] == 80.0
    assert np.isnan(found[1])


@pytest.mark.parametrize(
    ("question", "code"),
    [("rate {answer}", "evaluation.judge_question"), ("{question} {answer}", "evaluation.judge_numbers")],
)
def test_local_judge_refuses_what_cannot_work(tiny_lm: Any, question: str, code: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        local_judge(tiny_lm("llama"), question)

    assert caught.value.code == code
