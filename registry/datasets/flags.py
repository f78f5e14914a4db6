"""What a flag of a row is called, what to do about it, and what can be done to all such rows at once."""

from dataclasses import dataclass

from registry.datasets.states import EditKind


@dataclass(frozen=True, slots=True)
class Flag:
    """A remark on rows; `batch` are the kinds of edit that make sense for all of them."""

    code: str
    label: str
    fix: str
    batch: tuple[str, ...] = ()


_ALL = (
    Flag(
        "duplicates",
        "repeats another row",
        "Nothing is measured twice: leave the repeats out.",
        (EditKind.EXCLUDE,),
    ),
    Flag(
        "identical",
        "both texts are the same",
        "Write the side that is wrong anew, or leave the rows out.",
        (EditKind.EXCLUDE,),
    ),
    Flag(
        "contradictory",
        "also stands the other way round",
        "Decide which text shows the trait: swap or leave out one row of each two.",
        (EditKind.EXCLUDE,),
    ),
    Flag(
        "swapped_groups",
        "looks swapped",
        "Read a few. If the positive text stands on the left, swap the sides.",
        (EditKind.SWAP, EditKind.EXCLUDE),
    ),
    Flag(
        "near_duplicates",
        "nearly another group’s row",
        "Give rows of one template the same group, or leave the copies out.",
        (EditKind.EXCLUDE,),
    ),
    Flag(
        "shared_prompts",
        "prompt stands in another group",
        "Give rows of one prompt the same group, so that no prompt is in training and test.",
    ),
    Flag(
        "large_group",
        "in the largest group",
        "Split the group by topic, or add rows of other groups.",
    ),
    Flag(
        "uneven_length",
        "one side is far longer",
        "Shorten the long side or leave the row out: a model tells length from trait as badly as we do.",
        (EditKind.EXCLUDE,),
    ),
    Flag(
        "prompt_space",
        "prompt ends in a space",
        "Move the space from the end of the prompt to the beginning of both texts.",
    ),
    Flag("answer_space", "answer begins with a space", "Take the space away where the answer begins."),
    Flag("uneven_space", "one text begins with a space", "Let both texts begin alike."),
    Flag(
        "hidden_characters",
        "holds hidden characters",
        "A model reads them, people do not. Edit the row to take them out, unless they belong there.",
        (EditKind.EXCLUDE,),
    ),
)
FLAGS: dict[str, Flag] = {flag.code: flag for flag in _ALL}
# Remarks that name no row of their own, and the rows that are worth a look for them.
ROWS_FOR = {"length_confound": "uneven_length", "length_ratio": "uneven_length"}
# What helps against a remark that no row can be blamed for.
ADVICE = {
    "few_pairs": "Add rows, or upload a longer file.",
    "few_test_pairs": "Add rows of groups that are not there yet.",
    "large_group": FLAGS["large_group"].fix,
    "length_confound": "Write both sides at about the same length; the rows that stand out most are listed.",
    "length_ratio": "Look at the rows whose sides differ most in length.",
    "letter_imbalance": "Swap the choices (A) and (B) inside some questions, not the sides of the rows.",
    "lexical_shortcut": "Add rows that show the trait in other words.",
    "like_groups": "Give them one name: edit the rows of the rarer spelling.",
}
