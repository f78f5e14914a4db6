"""`direction.<k>` tensors in a GGUF file: what llama.cpp, repeng, GLP and EasySteer have in common.

In all of them `direction.<k>` belongs to the 0-based decoder block k, and the llama.cpp family has no
`direction.0`. What differs (site, operation, scale) stands in `llama_cpp`, `glp` and `easysteer_gguf`.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from gguf import GGUFValueType

from steering_core.errors import FormatError
from steering_core.formats.gguf_file import Field, GgufFile, refused
from steering_core.formats.loose import LooseVector
from steering_core.spec import parse_site
from steering_core.vector import Direction

ARCHITECTURE = "controlvector"
MAX_TEXT = 200

_NAME = re.compile(r"direction\.(0|[1-9][0-9]{0,5})")
_FURTHER_RANK = re.compile(r"direction\.[0-9]+\.[0-9]+")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HEAD = re.compile(r"(?:ForCausalLM|ForConditionalGeneration|LMHeadModel)$")


def read_directions(file: GgufFile) -> dict[int, Direction]:
    """Block -> (d_model,) float32; F16 widens exactly, F64 is rounded.

    Raises:
        FormatError: a tensor that is no direction, a further direction of a block (rank k), or a value that
            is not finite.
    """
    directions = {}
    for name, tensor in file.tensors.items():
        if _FURTHER_RANK.fullmatch(name):
            raise refused(
                "rank",
                f"{name} is a further direction of its block; files of one direction a block are read. "
                "llama.cpp would add it to the first one",
            )
        found = _NAME.fullmatch(name)
        if found is None:
            raise refused(
                "tensor_name",
                f"a tensor is called {name!r}; expected direction. and a block index. Is this a model?",
            )
        directions[int(found[1])] = finite(tensor, name)
    return directions


def finite(values: npt.NDArray[np.floating], where: str) -> Direction:
    """The values in float32; checked here, since arithmetic on a signalling NaN would warn.

    Raises:
        FormatError: `format.not_finite`, also if a number is too large for float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        row = values.astype(np.float32)
    if not np.isfinite(row).all():
        raise FormatError(
            f"{where} holds NaN or infinity; every value must be finite", code="format.not_finite"
        )
    return row


def wrong_dtypes(file: GgufFile) -> list[str]:
    """The names of the tensors that are not F32."""
    return [name for name, tensor in file.tensors.items() if tensor.dtype != np.float32]


def notes_from(file: GgufFile) -> dict[str, str]:
    """The metadata as short printable texts."""
    return {key: printable(str(field.value)) for key, field in file.fields.items()}


def model_from(file: GgufFile) -> str:
    """What the file calls its model: the name of its base model, else its model hint."""
    names = (
        file.text("general.base_model.0.name"),
        file.text("controlvector.model_hint"),
        file.text("steeringvector.model_hint"),
    )
    return printable(next(filter(None, names), ""))


def printable(text: str) -> str:
    """At most 200 characters that a terminal shows as they are; the others as escapes."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:MAX_TEXT])
    return "".join(shown)[:MAX_TEXT]


def check_operation(loose: LooseVector, operations: Iterable[str], engine: str, instead: str) -> None:
    """Refuse what the engine would do in another way than the vector means.

    Raises:
        FormatError: `engine.operation`.
    """
    if loose.operation not in operations:
        raise refused(
            "operation",
            f"the vector is for the operation {loose.operation}; {engine} has {' and '.join(operations)}. "
            f"{instead}",
        )


def one_site(loose: LooseVector, sites: Iterable[str], engine: str) -> str:
    """The only site of a vector, if the engine has it.

    Raises:
        FormatError: `engine.site`: another site, several, or one of several residual streams.
    """
    expected = " or ".join(sites)
    for site in loose.sites:
        if parse_site(site)[1] is not None:
            raise refused(
                "site",
                f"the vector has {site}, one of several residual streams; {engine} would steer all of them "
                f"alike. Extract at mlp_out or attn_out, for an engine that has these sites",
            )
        if site not in sites:
            raise refused(
                "site",
                f"the vector has directions at {site}; {engine} steers at {expected} only and would apply "
                f"them there. Extract at {expected}, or choose another engine",
            )
    if len(loose.sites) > 1:
        raise refused(
            "site", f"the vector has {' and '.join(loose.sites)}; one file of {engine} has one site"
        )
    return loose.sites[0]


def without_block_0(
    loose: LooseVector, site: str, engine: str
) -> tuple[dict[int, Direction], tuple[str, ...]]:
    """The directions by block from 1 on, rising, and a warning if one at block 0 was left out.

    Raises:
        FormatError: `engine.block_0`: no other is left.
    """
    directions = {block: loose.at(site, block) for block in loose.blocks(site)}
    if 0 not in directions:
        return directions, ()
    del directions[0]
    if not directions:
        raise refused(
            "block_0",
            f"the only direction is at block 0, which {engine} cannot steer; extract at a later block",
        )
    return directions, (
        f"the direction at block 0 was left out: {engine} cannot steer the first block, and rejects a file "
        "that has direction.0",
    )


def hint_fields(loose: LooseVector, blocks: Iterable[int]) -> dict[str, Field]:
    """The keys that repeng began: a hint of the model's kind, and how many directions there are."""
    return {
        "controlvector.model_hint": text_field(_model_hint(loose)),
        "controlvector.layer_count": Field(GGUFValueType.UINT32, len(list(blocks))),
    }


def bearing_fields(loose: LooseVector) -> dict[str, Field]:
    """What only Bearing says: the model's size, and which vector the directions were taken from."""
    fields = {}
    if loose.n_layers is not None:
        fields["bearing.n_layers"] = Field(GGUFValueType.UINT32, loose.n_layers)
    if loose.native is not None:
        fields["bearing.vector"] = text_field(loose.native.tensor_digest)
        fields["bearing.model_hash"] = text_field(loose.native.model.model_hash)
    return fields


def text_field(text: str) -> Field:
    """A string, shortened and made printable."""
    return Field(GGUFValueType.STRING, printable(text))


def named(directions: Mapping[int, Direction]) -> dict[str, Direction]:
    """The tensors of a file, in rising order of block."""
    return {f"direction.{block}": directions[block] for block in sorted(directions)}


def _model_hint(loose: LooseVector) -> str:
    """As transformers calls the kind of model, `qwen2`, guessed from the class name; nothing relies on it."""
    if loose.native is None:
        return loose.notes.get("controlvector.model_hint") or loose.model or "unknown"
    return _WORD_START.sub("_", _HEAD.sub("", loose.native.model.architecture)).lower()
