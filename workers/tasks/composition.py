"""The run that measures the mix of a preset: vectors in, what they do together out."""

from dataclasses import dataclass

from registry.catalog.artifacts import stored_vector
from registry.runs.claims import MixClaim, MixMember, MixResult
from registry.runs.task_names import COMPOSE
from registry.storage.services import blob_read
from steering_core.evaluation.composition.bench import Effort, Material, Member
from steering_core.evaluation.composition.compose import compose
from steering_core.evaluation.composition.members import member_of_pairs
from steering_core.evaluation.composition.record import write_composition
from steering_core.evaluation.composition.verdict import judge_mix
from steering_core.evaluation.neutral import NeutralTurns
from steering_core.evaluation.suite import Suite, spread
from steering_core.models.load import LanguageModel
from steering_core.pairs.readers import read_pairs
from steering_core.pairs.splits import split_pairs
from workers.base_models import load, scorer_for, suite_for
from workers.run_task import Report, run_task

# Share of the whole run at which the model is loaded.
LOADED = 0.02


@dataclass(frozen=True, slots=True)
class MixBudget:
    """How much a tier measures: prompts or pairs of each trait, neutral texts, the effort of the bench."""

    n_items: int
    n_texts: int
    effort: Effort


BUDGETS = {
    "smoke": MixBudget(12, 12, Effort(max_new_tokens=48, n_orders=2, n_resamples=400)),
    "standard": MixBudget(48, 24, Effort()),
}


@run_task(COMPOSE)
def measure_mix(claim: MixClaim, progress: Report) -> MixResult:
    """Effects, interference and budget of the vectors, and what the mix does at its strengths; with wanted
    effects, at those that reach them.
    """

    def within(fraction: float, message: str) -> None:
        progress("measure", LOADED + (1 - LOADED) * fraction, message)

    progress("load", 0.0, f"Loading {claim.model_name}")
    model = load(claim.model_path, claim.model_hash, claim.model_name)
    suite, budget = suite_for(claim.scorer, claim.suite_sha256), BUDGETS[claim.tier]
    found = compose(
        model,
        [_member(claim, member, model, suite, budget) for member in claim.members],
        _material(model, suite, budget),
        budget.effort,
        wanted=claim.wanted or None,
        strengths={member.label: member.strength for member in claim.members},
        progress=within,
    )
    verdict, reasons = judge_mix(found)
    return MixResult(write_composition(found), verdict, reasons)


def _member(
    claim: MixClaim, member: MixMember, model: LanguageModel, suite: Suite, budget: MixBudget
) -> Member:
    """Its trait is scored in replies to the suite's prompts where the base model has a scorer for it, else it
    is the preference for the positive answers of the pairs that the vector was not made of.
    """
    vector = stored_vector(member.artifact_sha256)
    pairs = read_pairs(blob_read(sha256=member.dataset_sha256)).pairs
    scorer = scorer_for(claim.scorer, pairs)
    if scorer is not None and suite.prompts:
        return Member(member.label, vector, scorer)
    splits = split_pairs(pairs, member.dataset_digest)
    tested = [pairs[i] for i in splits.test or splits.train]
    return member_of_pairs(model, member.label, vector, tested, most=budget.n_items)


def _material(model: LanguageModel, suite: Suite, budget: MixBudget) -> Material:
    prompts = tuple(spread(suite.prompts, budget.n_items))
    texts = NeutralTurns.of(model, spread(suite.neutral, budget.n_texts)).rows
    # Prompts of a suite do not repeat each other, so each is a cluster of its own.
    return Material(prompts, tuple(map(str, range(len(prompts)))), texts)
