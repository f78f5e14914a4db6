"""The number from 0 to 100 that a model would answer with, as an expectation over all of them.

Numbers of several tokens are followed token by token: each beginning of a number that can go on is one row.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from steering_core.errors import EvaluationError
from steering_core.evaluation.propensity import length_batches, padded
from steering_core.models.load import LanguageModel

NUMBERS = tuple(range(101))

_TOKEN_BUDGET = 8192

Floats = npt.NDArray[np.float64]
Ids = tuple[int, ...]


class NumberReader:
    """Knows how the model's tokenizer writes the numbers.

    Raises:
        EvaluationError: `evaluation.judge_numbers`, it cannot write them apart.
    """

    def __init__(self, lm: LanguageModel) -> None:
        self._lm = lm
        self._spelled = {number: _spelled(lm, number) for number in NUMBERS}
        if len(set(self._spelled.values())) < len(NUMBERS) or () in self._spelled.values():
            raise EvaluationError(
                f"the tokenizer of {lm.identity.name} does not write the numbers from 0 to 100 apart; take "
                "another model as judge",
                code="evaluation.judge_numbers",
            )
        # What has been written of a number -> the tokens that it may go on with.
        self._next_of: dict[Ids, set[int]] = {}
        for ids in self._spelled.values():
            for n, token in enumerate(ids):
                self._next_of.setdefault(ids[:n], set()).add(token)

    def expected(self, prompts: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
        """The expected number, and the probability that the answer is one, each (n_prompts,).

        A number that may go on to a longer one counts by the chance that it does not.
        """
        begun, tokens = list(self._next_of), sorted(set().union(*self._next_of.values()))
        rows = [(*prompt, *beginning) for prompt in prompts for beginning in begun]
        chances = self._chances(rows, tokens).reshape(len(prompts), len(begun), len(tokens))
        row = {beginning: i for i, beginning in enumerate(begun)}
        column = {token: i for i, token in enumerate(tokens)}
        each = np.ones((len(prompts), len(NUMBERS)))
        for number, ids in self._spelled.items():
            for n, token in enumerate(ids):
                each[:, number] *= chances[:, row[ids[:n]], column[token]]
            if longer := [column[token] for token in self._next_of.get(ids, ())]:
                each[:, number] *= 1 - chances[:, row[ids], longer].sum(1)
        mass = each.sum(1)
        return each @ np.array(NUMBERS) / np.maximum(mass, np.finfo(float).tiny), mass

    def _chances(self, rows: Sequence[Ids], tokens: Sequence[int]) -> Floats:
        """(n_rows, n_tokens), the chance of each token behind each row."""
        chances = np.zeros((len(rows), len(tokens)))
        for batch in length_batches([len(row) for row in rows], _TOKEN_BUDGET):
            chosen = [rows[i] for i in batch]
            shortest = min(map(len, chosen))
            ids = padded(chosen).to(self._lm.device)
            last = torch.tensor([len(row) - shortest for row in chosen], device=self._lm.device)
            with torch.inference_mode():
                kept = ids.shape[1] - shortest + 1
                logits = self._lm.model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits
                final = logits[torch.arange(len(chosen), device=last.device), last].float()
                chances[batch] = final.softmax(-1)[:, tokens].double().cpu().numpy()
        return chances


def _spelled(lm: LanguageModel, number: int) -> Ids:
    ids = tuple(lm.tokenizer(str(number), add_special_tokens=False)["input_ids"])
    return () if lm.tokenizer.unk_token_id in ids else ids
