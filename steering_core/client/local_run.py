"""The steps of `bearing extract-local` that run a model. They need torch, so `cli_local` imports this late.

`local_files` reads and writes, `local_tables` shows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from steering_core.client.local_files import Dataset, blocks_of, dataset_of
from steering_core.errors import ModelError
from steering_core.evaluation.choosing import Chooser, has_prompts
from steering_core.evaluation.pipeline import Outcome, extract_and_evaluate, pilot_message
from steering_core.evaluation.ranking import ScoredPlace, method_name, place_vector, score_places
from steering_core.evaluation.rollouts import Rollouts, roll_out
from steering_core.extraction.derive import Recipe, derive
from steering_core.extraction.extract import EncodedSplits, encode_splits, extract, read_pilot
from steering_core.extraction.pooling import resolve_poolings
from steering_core.extraction.statistics import Statistics
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel, load_model
from steering_core.models.tokens import BoundaryCheck, encode_pair
from steering_core.pairs.pair import ContrastivePair, PairFile
from steering_core.pairs.persona import PersonaTrait
from steering_core.spec import BUDGETS, ExtractionSpec, Provenance, seed_from, software
from steering_core.vector import SteeringVector

Tell = Callable[[float], None]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. `blocks` is as `blocks_of` reads it, or empty where one place is to be chosen."""

    method: str
    orthogonal: bool
    site: str
    blocks: str
    pooling: str
    background: tuple[ContrastivePair, ...] = ()

    @property
    def recipe(self) -> Recipe:
        """How directions are made."""
        return Recipe(self.method, self.orthogonal)


@dataclass(frozen=True, eq=False)
class Read:
    """The pairs inside the model: as tokens, and what one pass kept of them."""

    data: EncodedSplits
    statistics: Statistics
    train_needed: int | None


@dataclass(frozen=True, eq=False)
class Chosen:
    """Every place, and those whose directions go into the file; `why` is half a sentence for people."""

    places: Sequence[ScoredPlace]
    chosen: Sequence[ScoredPlace]
    why: str


def open_model(folder: Path, *, device: str, dtype: str, name: str, max_tokens: int | None) -> LanguageModel:
    """The model in a folder.

    Args:
        max_tokens: leave out pairs that are longer than this; None for the model's own limit.

    Raises:
        ModelError: there is no such model or device.
    """
    _check_device(device)
    lm = load_model(folder, device=device, dtype=dtype, name=name)
    if max_tokens is None:
        return lm
    return replace(lm, max_positions=min(max_tokens, lm.max_positions))


def answer_trait(
    lm: LanguageModel, trait: PersonaTrait, *, n_per_side: int, seed: int, max_new_tokens: int, tell: Tell
) -> tuple[Dataset, Rollouts]:
    """The model's own answers to a trait's questions, as a dataset."""
    found = roll_out(
        lm, trait, n_per_side=n_per_side, seed=seed, max_new_tokens=max_new_tokens, progress=tell
    )
    file = PairFile("jsonl", found.pairs, tuple(f"{note}." for note in found.notes))
    return dataset_of(file, form="answers of the model to a Persona Vectors trait"), found


def read_here(
    lm: LanguageModel, dataset: Dataset, wanted: Wanted, file: Path, folder: Path, *, say: Say, tell: Tell
) -> Read:
    """Encode the pairs, say what a few of them show, and read all in one pass.

    Args:
        file: where the statistics go.
        folder: for files that are needed for the while.
        say: told what was found on the way.
        tell: told the fraction of the pass done.

    Raises:
        ExtractionError: too few pairs fit into the model, or the pooling does not fit them.
        ModelError: the model has no such site or block.
    """
    blocks = blocks_of(wanted.blocks, lm.identity.n_layers) if wanted.blocks else None
    lm.sites.module(wanted.site, 0)
    data = encode_splits(lm, dataset.pairs, dataset.splits)
    say(encoding_message(len(data.pairs), data.left_out, data.boundary, lm.max_positions))
    poolings = resolve_poolings(wanted.pooling, list(data.pairs.values()))
    if blocks is not None and len(poolings) > 1:
        say(f"no choice is made among poolings {', '.join(poolings)}, so {poolings[0]} is read")
    background = _fitting(lm, wanted.background, say)
    needed = _pilot(lm, data, wanted, folder, say) if dataset.has_negatives else None
    statistics = extract(
        lm,
        dataset.pairs,
        data,
        file,
        sites=(wanted.site,),
        blocks=blocks,
        pooling=poolings[0] if blocks is not None else wanted.pooling,
        background=background,
        dataset_digest=dataset.digest,
        progress=tell,
    )
    return Read(data, statistics, needed)


def choose_here(lm: LanguageModel, dataset: Dataset, wanted: Wanted, read: Read, tell: Tell) -> Chosen:
    """The place that the pairs themselves point at, or the blocks that were asked for.

    Raises:
        ExtractionError: the poles do not differ there.
    """
    if wanted.blocks:
        places = _asked_places(read.statistics, wanted)
        return Chosen(places, places, "as asked; no choice was made")
    chooser = _chooser(lm, dataset)
    place, places = chooser.choose(read.data, read.statistics, wanted.recipe, wanted.site, tell)
    return Chosen(places, [place], place_reason(place, read.statistics))


def vector_here(
    lm: LanguageModel, dataset: Dataset, wanted: Wanted, read: Read, found: Chosen
) -> SteeringVector:
    """The directions of the chosen places as one steering vector, with what it does in nats."""
    written_by = software("torch", "transformers")
    pooling, dtype = found.chosen[0].score.pooling, dtype_name(lm.model.dtype)
    provenance = Provenance(method_name(wanted.recipe), pooling, dataset.digest, "", written_by, dtype)
    vector = place_vector(found.chosen, lm.identity, provenance)
    return replace(vector, doses=_chooser(lm, dataset).doses(read.data, vector))


def evaluate_here(
    lm: LanguageModel,
    dataset: Dataset,
    wanted: Wanted,
    folder: Path,
    *,
    tier: str,
    progress: Callable[[str, float, str], None],
) -> Outcome:
    """The whole run as a registry does it, with its report; log-probabilities are what is measured."""
    spec = ExtractionSpec(
        dataset_digest=dataset.digest,
        model_hash=lm.identity.model_hash,
        method=wanted.method,
        site=wanted.site,
        pooling=wanted.pooling,
        tier=tier,
    )
    return extract_and_evaluate(
        lm, dataset.pairs, dataset.splits, spec, folder, scorer=None, progress=progress
    )


def encoding_message(n_pairs: int, left_out: int, boundary: BoundaryCheck, max_tokens: int) -> str:
    """How many pairs went into the model, and whether their tokens are those that it would have written."""
    kept = f"{n_pairs:,} encoded, {left_out:,} left out as empty or longer than {max_tokens:,} tokens"
    if not boundary.checked:
        return kept
    if not boundary.moved:
        return f"{kept}; no token runs across the place where answers begin"
    return (
        f"{kept}; in {boundary.moved:,} of {boundary.checked:,} answers tokens run across the place where "
        "the answer begins, so the model, had it written the answer, would have read other tokens there"
    )


def counts_message(counts: Mapping[str, int], max_tokens: int) -> str:
    """The same of the counts in a report."""
    boundary = BoundaryCheck(counts["boundary_checked"], counts["boundary_moved"])
    kept = counts["train"] + counts["select"] + counts["test"]
    return encoding_message(kept, counts["left_out"], boundary, max_tokens)


def place_reason(place: ScoredPlace, statistics: Statistics) -> str:
    """Why a place was chosen, as half a sentence for people."""
    n_select = len(statistics.split("select"))
    if place.score.effect is not None:
        return f"the largest effect at equal dose on {n_select:,} pairs held out for it"
    if not n_select:
        return "nearest to the middle, since nothing was held out"
    if has_prompts(statistics):
        return "the only place that is not ruled out, so steering was not tried"
    return "near the middle among the best held out; steering was not tried, since the pairs have no prompts"


def _chooser(lm: LanguageModel, dataset: Dataset) -> Chooser:
    seed = seed_from(dataset.digest, "sampling")
    return Chooser(lm, dataset.pairs, None, BUDGETS["standard"].max_new_tokens, seed)


def _pilot(lm: LanguageModel, data: EncodedSplits, wanted: Wanted, folder: Path, say: Say) -> int | None:
    pilot = read_pilot(lm, data, wanted.site, wanted.pooling, folder)
    say(pilot_message(pilot, len(data.train)))
    return pilot.needed


def _fitting(
    lm: LanguageModel, background: Sequence[ContrastivePair], say: Say
) -> tuple[ContrastivePair, ...]:
    fits = tuple(p for p in background if len(encode_pair(lm, p).positive) <= lm.max_positions)
    if background:
        say(f"{len(fits):,} neutral texts, {len(background) - len(fits):,} left out as too long")
    return fits


def _asked_places(statistics: Statistics, wanted: Wanted) -> list[ScoredPlace]:
    places = score_places(statistics, wanted.recipe, wanted.site)
    for block in set(statistics.reading.blocks) - {place.score.block for place in places}:
        # It was left out because this fails; the failure says why.
        derive(statistics, wanted.recipe, statistics.reading.poolings[0], wanted.site, block)
    return places


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError, NotImplementedError) as error:
        raise ModelError(
            f"device {device!r} cannot be used here ({str(error).splitlines()[0]}); leave --device out for "
            "the CPU",
            code="model.no_device",
        ) from error
