"""What can be put in front of a prompt to ask for a trait: an instruction, or worked examples of train pairs.

`judges` asks how likely a reply is behind either pole's, `prompting` what the model writes behind them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steering_core.evaluation.subject import Subject
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_prompt
from steering_core.models.turns import encode_prompt_after, encode_prompt_under
from steering_core.pairs.pair import RAW, ContrastivePair

N_EXAMPLES = 4

Ids = tuple[int, ...]
# A prompt -> the token ids of the whole, up to the place where the model's reply starts.
Context = Callable[[str], Ids]


@dataclass(frozen=True, slots=True)
class Contexts:
    """The same way of asking, for either pole.

    Attributes:
        label: for people.
        texts: what is put in front, (negative, positive).
    """

    label: str
    negative: Context
    positive: Context
    texts: tuple[str, str]

    def added(self, lm: LanguageModel, prompts: Sequence[str]) -> float:
        """How many tokens it puts in front of a prompt, the mean over prompts and poles."""
        bare = sum(len(encode_prompt(lm, prompt)) for prompt in prompts)
        whole = sum(len(context(prompt)) for prompt in prompts for context in (self.negative, self.positive))
        return (whole / 2 - bare) / len(prompts)

    def room(self, lm: LanguageModel, prompts: Sequence[str]) -> int:
        """How many tokens are left for a reply behind the longest of the prompts."""
        longest = max(len(context(p)) for p in prompts for context in (self.negative, self.positive))
        return lm.max_positions - longest


def instructed(lm: LanguageModel, instruction: tuple[str, str]) -> Contexts:
    """Behind a system text, (negative, positive)."""

    def under(text: str) -> Context:
        return lambda prompt: tuple(encode_prompt_under(lm, text, prompt))

    return Contexts("a system prompt", under(instruction[0]), under(instruction[1]), instruction)


def shown(lm: LanguageModel, pairs: Sequence[ContrastivePair]) -> Contexts:
    """Behind the pairs' prompts with their answers of one pole, as turns of the conversation."""

    def after(pole: str) -> tuple[Context, str]:
        examples = [(pair.prompt, getattr(pair, pole)) for pair in pairs]
        text = "\n\n".join(f"{prompt}\n{reply}" for prompt, reply in examples)
        raw = any(pair.template == RAW for pair in pairs)
        return lambda prompt: tuple(encode_prompt_after(lm, examples, prompt, raw=raw)), text

    (negative, hidden), (positive, seen) = after("negative"), after("positive")
    return Contexts(f"{len(pairs)} examples in the prompt", negative, positive, (hidden, seen))


def examples_for(subject: Subject, prompts: Sequence[str], tokens: int) -> Contexts | None:
    """At most four train pairs of different groups; fewer where the model has no room for them.

    None where there is no room for one, or where no train pair has a prompt.

    Args:
        tokens: that a reply may take.
    """
    by_group = {
        subject.cluster(i): subject.pairs[i]
        for i in reversed(subject.shuffled(subject.data.train))
        if subject.pairs[i].prompt
    }
    chosen = list(reversed(by_group.values()))[:N_EXAMPLES]
    while chosen and prompts:
        contexts = shown(subject.lm, chosen)
        if contexts.room(subject.lm, prompts) > tokens:
            return contexts
        chosen.pop()
    return None


def instructions_for(subject: Subject, prompts: Sequence[str], tokens: int) -> list[Contexts]:
    """Those that come with the scorer and leave room for a reply of so many tokens."""
    every = [instructed(subject.lm, one) for one in (subject.scorer.instructions if subject.scorer else ())]
    return [contexts for contexts in every if prompts and contexts.room(subject.lm, prompts) > tokens]
