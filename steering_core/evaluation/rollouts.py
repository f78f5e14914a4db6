"""The model's own answers under two opposite instructions, as contrastive pairs.

Source: Persona Vectors, Chen et al. 2025, arXiv 2507.21509, section 2. What differs from the paper: a pair is
read under the bare question, not each answer under the system prompt that asked for it, so the direction
holds what was answered and not what was asked for. And a `TraitScorer` judges, where there is one, in place
of another language model with the trait's `eval_prompt`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from steering_core.errors import EvaluationError, PairsError
from steering_core.evaluation.scorer import TraitScorer
from steering_core.injection.generate import generate
from steering_core.models.load import LanguageModel
from steering_core.models.turns import encode_prompt_under, takes_system
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.persona import Instruction, PersonaTrait
from steering_core.pairs.text import checked_text

# The paper's 50 of 100.
LEAST_COHERENCE = 0.5


@dataclass(frozen=True, slots=True)
class Rollouts:
    """Pairs of answers; each question is a group.

    Attributes:
        left_out: couples of answers that were not kept.
        notes: sentences on how the answers came about, for people.
    """

    pairs: tuple[ContrastivePair, ...]
    left_out: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question under both sides of one instruction; the prompts are token ids."""

    question: str
    group: str
    positive: tuple[int, ...]
    negative: tuple[int, ...]


def roll_out(
    lm: LanguageModel,
    trait: PersonaTrait,
    *,
    n_per_side: int = 1,
    seed: int = 0,
    max_new_tokens: int = 128,
    scorer: TraitScorer | None = None,
    progress: Callable[[float], None] | None = None,
) -> Rollouts:
    """Ask every question under both sides of every instruction, and pair the two answers.

    With a scorer a couple is kept where the positive answer scores 0 or more, the negative one less than 0,
    and both are coherent by half. Without one every couple of different answers is kept that are not empty.

    Args:
        n_per_side: answers to each question under each side of each instruction; the paper takes 10.
        progress: told the fraction done; what it raises passes through.

    Raises:
        EvaluationError: no couple is kept, or an instruction and question leave no room for an answer.
        ModelError: a text of the trait spells a token of the model's chat template.
    """
    asked = list(_asked(lm, trait))
    _check_room(lm, asked)
    prompts = [ids for one in asked for ids in (one.positive, one.negative)]
    pairs: list[ContrastivePair] = []
    for number in range(n_per_side):
        answers = generate(
            lm,
            prompts,
            seed=seed + number,
            max_new_tokens=max_new_tokens,
            progress=_share_of(progress, number, n_per_side),
        )
        couples = zip(asked, answers[::2], answers[1::2], strict=True)
        pairs += [pair for couple in couples if (pair := _pair(*couple, scorer))]
    total = n_per_side * len(asked)
    if not pairs:
        raise EvaluationError(
            f"none of {total:,} couples of answers can be used: they are empty, the same, or not as asked; "
            "this model may not follow the instructions",
            code="evaluation.no_answers",
        )
    return Rollouts(tuple(pairs), total - len(pairs), tuple(_notes(lm, scorer)))


def _asked(lm: LanguageModel, trait: PersonaTrait) -> Iterator[_Asked]:
    for number, question in enumerate(trait.questions, start=1):
        for instruction in trait.instructions:
            positive, negative = _prompts(lm, instruction, question)
            yield _Asked(question, f"question {number}", positive, negative)


def _prompts(lm: LanguageModel, instruction: Instruction, question: str) -> Iterator[tuple[int, ...]]:
    for side in (instruction.positive, instruction.negative):
        yield tuple(encode_prompt_under(lm, side, question))


def _check_room(lm: LanguageModel, asked: Sequence[_Asked]) -> None:
    for one in asked:
        longest = max(len(one.positive), len(one.negative))
        if longest >= lm.max_positions:
            raise EvaluationError(
                f"an instruction and the question {one.question[:40]!r} have {longest} tokens; this model "
                f"takes at most {lm.max_positions - 1} and needs room for an answer. Shorten them",
                code="evaluation.prompt_length",
            )


def _share_of(
    progress: Callable[[float], None] | None, number: int, total: int
) -> Callable[[float], None] | None:
    return None if progress is None else lambda fraction: progress((number + fraction) / total)


def _pair(asked: _Asked, shown: str, hidden: str, scorer: TraitScorer | None) -> ContrastivePair | None:
    """The couple as a pair of that question; None where it is not to be kept."""
    shown, hidden = shown.strip(), hidden.strip()
    if shown == hidden or not all(map(_is_usable, (shown, hidden))):
        return None
    if scorer is not None and not _came_out(asked.question, shown, hidden, scorer):
        return None
    return ContrastivePair(positive=shown, negative=hidden, prompt=asked.question, group=asked.group)


def _came_out(question: str, shown: str, hidden: str, scorer: TraitScorer) -> bool:
    coherent = all(scorer.coherence(question, text) >= LEAST_COHERENCE for text in (shown, hidden))
    return coherent and scorer.score(question, shown) >= 0 > scorer.score(question, hidden)


def _is_usable(text: str) -> bool:
    """Whether a dataset may hold the text, so that pairs which are kept in a file can be read again."""
    try:
        checked_text(text, "an answer", 1, DEFAULT_LIMITS, required=True)
    except PairsError:
        return False
    return True


def _notes(lm: LanguageModel, scorer: TraitScorer | None) -> Iterator[str]:
    yield "Both answers are read behind the bare question, not behind the system prompts that produced them"
    if not takes_system(lm.tokenizer):
        yield "This model has no system role, so each instruction was put in front of the question"
    if scorer is None:
        yield "Nothing judged the answers: all that differ are kept, whether they show the trait or not"
