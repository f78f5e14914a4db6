"""Makes a native vector of another engine's file: names the model by hash, measures its residual norms.

It needs torch, so `cli_convert` imports this late.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from steering_core.client.local_files import read_background
from steering_core.errors import ModelMismatchError
from steering_core.extraction.extract import encode_splits, extract
from steering_core.formats.loose import LooseVector
from steering_core.models.dtypes import dtype_name
from steering_core.models.load import LanguageModel, load_model
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.splits import Splits
from steering_core.spec import Provenance, parse_site_key, software
from steering_core.vector import SteeringVector

# Plain sentences on many things, so that no topic or tone of theirs sets the norm.
NEUTRAL_TEXTS = (
    "The train to the coast leaves at nine in the morning and takes about two hours.",
    "Water boils at a lower temperature on a mountain than at the level of the sea.",
    "She put the letters into the drawer, locked it, and went out to buy some bread.",
    "The committee will meet again next Thursday to discuss the plans for the new library.",
    "In the northern half of the country, most farms grow wheat, barley or potatoes.",
    "To change the tyre, loosen the bolts first, and then lift the car with the jack.",
    "The museum was founded in 1872 and holds a large collection of maps and instruments.",
    "He asked whether the shop on the corner would still be open after six o'clock.",
    "A function that calls itself needs a case in which it returns without another call.",
    "The river rises in the hills, passes two towns, and reaches the lake after ninety miles.",
    "Add the flour slowly, stir until the dough is smooth, and let it rest for an hour.",
    "Prices of copper rose by three percent in May, while those of tin hardly changed.",
    "The children drew houses, trees and a long road that led over a bridge.",
    "Most bats find their way at night by listening to the echoes of their own calls.",
    "The second chapter describes how the samples were taken and how they were stored.",
    "We walked around the old harbour, where a few boats were being painted.",
    "If the light on the front turns red, unplug the device and wait for ten minutes.",
    "The play has three acts, and the first takes place in a small hotel by the station.",
    "Light from the nearest star needs more than four years to reach us.",
    "The contract begins on the first of March and may be ended with a month's notice.",
    "Her grandfather repaired clocks, and his workshop smelled of oil and brass.",
    "Some of the words in this language change their ending when there are more than two.",
    "The bus stops in front of the hospital, the school, and the market hall.",
    "Clouds form when moist air rises and cools until the water in it condenses.",
)


def import_loose(loose: LooseVector, folder: Path, texts: Path | None) -> tuple[SteeringVector, int]:
    """A file's directions as a vector of the model in a folder.

    The mean residual norms are measured as an extraction measures them, over a few positions of each text.
    What the file does not say stays unknown: the pole that the directions point to, window and doses.

    Args:
        texts: neutral texts, one per line; None takes those above.

    Returns:
        The vector, and how many texts were read.

    Raises:
        ModelError: the folder is no model.
        ModelMismatchError: the model has another width or too few blocks.
        ExtractionError: too few texts fit into the model.
    """
    pairs = neutral_pairs() if texts is None else tuple(dict.fromkeys(read_background(texts)))
    lm = load_model(folder)
    _check_model(loose, lm)
    data = encode_splits(lm, pairs, Splits(tuple(range(len(pairs))), (), ()))
    blocks = sorted({block for site in loose.sites for block in loose.blocks(site)})
    with TemporaryDirectory(prefix="bearing-") as scratch:
        read = extract(lm, pairs, data, Path(scratch) / "read.safetensors", sites=loose.sites, blocks=blocks)
        norms = {key: read.residual_norm(parse_site_key(key)[1]) for key in loose.directions}
    vector = SteeringVector(
        model=lm.identity,
        directions=loose.directions,
        residual_norms=norms,
        operation=loose.operation,
        provenance=Provenance(
            "imported", "unknown", "", "", software("torch", "transformers"), dtype_name(lm.model.dtype)
        ),
    )
    return vector, len(data.pairs)


def neutral_pairs() -> tuple[ContrastivePair, ...]:
    """The built-in texts, each at both poles of a pair."""
    return tuple(ContrastivePair(positive=text, negative=text) for text in NEUTRAL_TEXTS)


def _check_model(loose: LooseVector, lm: LanguageModel) -> None:
    one = lm.identity
    last = max(parse_site_key(key)[1] for key in loose.directions)
    fits = one.d_model == loose.d_model and last < one.n_layers and loose.n_layers in (None, one.n_layers)
    if not fits:
        blocks = loose.n_layers or f"at least {last + 1}"
        raise ModelMismatchError(
            f"{one.name} has {one.n_layers} blocks of width {one.d_model}; the file is for {blocks} of width "
            f"{loose.d_model}. Give the folder of the model that it was made for"
        )
