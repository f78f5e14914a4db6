"""Why a run ended without a result, and what helps: one line for each code that a worker may give.

The code's own message says what came and what was expected; here is what to do next, and where to read more.
"""

from dataclasses import dataclass

from registry.runs.models import Run
from registry.runs.states import ErrorClass

DATASETS, CONCEPTS, FAQ, FORMAT = "/docs/datasets", "/docs/concepts", "/docs/faq", "/docs/format"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What happened in a line, what to do, and a page about it, if there is one.

    Attributes:
        changes: whether the request has to change first, so that trying the same again is not offered.
    """

    happened: str
    do: str
    docs: str = ""
    changes: bool = False


BY_CODE = {
    "extraction.too_few_pairs": Remedy(
        "Too few pairs are left to extract from",
        "Add pairs, or shorten those that are longer than the model’s context; upload them as a new version.",
        DATASETS,
        changes=True,
    ),
    "extraction.no_difference": Remedy(
        "The model does not tell the two sides apart",
        "Check that positive and negative texts differ in the trait and not only in wording; try another "
        "base model, or another place or method under “For experts”.",
        CONCEPTS,
        changes=True,
    ),
    "extraction.mixed_prompts": Remedy(
        "Some pairs have a prompt and some have none",
        "Give every pair a prompt, or none.",
        DATASETS,
        changes=True,
    ),
    "extraction.pooling_needs_prompts": Remedy(
        "This way of reading needs prompts", "Choose “Automatic” to read them.", CONCEPTS, changes=True
    ),
    "extraction.pooling_needs_no_prompts": Remedy(
        "This way of reading is for texts without prompts",
        "Choose “Automatic” to read them.",
        CONCEPTS,
        changes=True,
    ),
    "extraction.pooling_needs_turns": Remedy(
        "This base model has no turns",
        "Choose “Automatic”, or a base model with a chat template.",
        CONCEPTS,
        changes=True,
    ),
    "extraction.out_of_memory": Remedy(
        "Not even one pair at a time fits into the worker’s memory",
        "Shorten the longest pairs, or choose a smaller base model.",
        DATASETS,
        changes=True,
    ),
    "dataset.special_token": Remedy(
        "A text holds a control token of the base model",
        "Remove it from the row that is named above: it would end the turn in the middle of the text.",
        DATASETS,
        changes=True,
    ),
    "evaluation.no_map": Remedy(
        "The two models have too little in common for a map",
        "Extract the vector on the new base model instead, from the same pairs.",
        CONCEPTS,
        changes=True,
    ),
    "evaluation.too_few_texts": Remedy(
        "There are too few texts to measure on",
        "Use a dataset with more pairs, or ask the operator for a suite for this base model.",
        DATASETS,
        changes=True,
    ),
    "run.timed_out": Remedy(
        "It took longer than the time limit",
        "Try the smoke tier, or fewer pairs.",
        FAQ,
    ),
    "run.out_of_memory": Remedy(
        "The worker ran out of memory",
        "Shorten the longest pairs, or choose a smaller base model; else tell the operator the run’s id.",
        DATASETS,
    ),
    "run.poison": Remedy(
        "It took its worker down on every attempt",
        "Try fewer or shorter pairs, or tell the operator the run’s id.",
        DATASETS,
    ),
    "run.cancelled": Remedy(
        "It was cancelled", "Nothing was kept. Start it again whenever you like; it begins anew."
    ),
}
# By the noun of a code, where the code itself is not named above.
BY_NOUN = {
    "dataset": Remedy("", "Mend the dataset and upload it as a new version.", DATASETS, changes=True),
    "format": Remedy("", "Mend the file and upload it again.", FORMAT, changes=True),
}
BY_CLASS = {
    ErrorClass.USER: Remedy(
        "", "Mend the dataset or the request, then start again with other settings.", FAQ, changes=True
    ),
    ErrorClass.PLATFORM: Remedy(
        "Something on our side went wrong",
        "This was our fault, and trying again by itself did not help. Start once more; the data is safe. "
        "If it does not go away, tell the operator the run’s id.",
        FAQ,
    ),
    ErrorClass.POISON: BY_CODE["run.poison"],
    ErrorClass.TIMED_OUT: BY_CODE["run.timed_out"],
    ErrorClass.CANCELLED: BY_CODE["run.cancelled"],
}


def remedy_for(run: Run) -> Remedy | None:
    """What to say of a run that ended without a result; None for any other."""
    if not run.error_class:
        return None
    error_class = ErrorClass(run.error_class)
    if error_class == ErrorClass.PLATFORM:
        # Its codes are of our own affairs; memory is the one that a smaller request helps.
        return BY_CODE.get(run.error_code) if run.error_code == "run.out_of_memory" else BY_CLASS[error_class]
    noun = run.error_code.partition(".")[0]
    return BY_CODE.get(run.error_code) or BY_NOUN.get(noun) or BY_CLASS[error_class]
