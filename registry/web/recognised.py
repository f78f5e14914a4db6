"""How rows were read, how sure that is, and what else they could be: said before anybody builds on it."""

from dataclasses import dataclass

from registry.datasets.drafts import Draft
from registry.datasets.states import EditKind
from steering_core.pairs.pair import RAW
from steering_core.pairs.readers import FORMAT_LABELS

_BY_FIELDS = "its fields occur in this form alone"
# Forms whose looks another form has too; all others are told apart by their fields.
_UNSURE = {
    "two_columns": ("a guess", "without a header, the first column is taken for the positive text"),
    "two_files": ("as you said", "the first file is the positive one"),
    "two_lists": ("as you said", "the first file is the positive one"),
    "repeng": ("likely", "objects of two texts are raw in repeng, but could be turns of a chat"),
    "steering_vectors": ("likely", "texts in twos are raw in steering-vectors, but could be turns of a chat"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Another way to read the rows: an edit of all of them, and what its button says."""

    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class Recognised:
    """The form, how sure it is and why, how a model will read the texts, and what could be meant instead."""

    label: str
    sureness: str
    why: str
    is_raw: bool
    choices: tuple[Choice, ...]

    @property
    def is_sure(self) -> bool:
        """Whether nothing else could be meant."""
        return self.sureness == "certain"


def recognised(draft: Draft) -> Recognised:
    """What an upload was read as."""
    form = draft.upload.source_format
    sureness, why = _UNSURE.get(form, ("certain", _BY_FIELDS))
    pairs = [row.pair for row in draft.rows]
    is_raw = bool(pairs) and pairs[0].template == RAW
    choices = [Choice(EditKind.SWAP, "Swap the sides of all rows")]
    if is_raw:
        choices.append(Choice(EditKind.TURNS, "Read as turns of a chat instead"))
    elif not any(pair.prompt for pair in pairs):
        choices.append(Choice(EditKind.RAW, "Read as raw text instead"))
    return Recognised(FORMAT_LABELS.get(form, form), sureness, why, is_raw, tuple(choices))
