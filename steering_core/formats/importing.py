"""What of a file can be imported: one direction of one base model, to be added. Numpy only, so that a web
process can refuse a file before a worker spends time on it. `evaluation.importing` measures it.
"""

from dataclasses import dataclass

from steering_core.errors import FormatError, ModelMismatchError
from steering_core.formats.bearing import check_direction
from steering_core.formats.engines import read_any
from steering_core.formats.loose import LooseVector
from steering_core.spec import ModelIdentity, parse_site_key
from steering_core.vector import Direction


@dataclass(frozen=True, slots=True, eq=False)
class Importable:
    """A direction that came as a file.

    Attributes:
        form: the engine whose form the file has, a key of `engines.ENGINES`.
        title: the same for people.
        key: where it acts, `resid_post.3`.
        direction: as long as it came.
    """

    form: str
    title: str
    key: str
    direction: Direction


def read_importable(data: bytes, model: ModelIdentity, *, name: str = "", key: str = "") -> Importable:
    """The direction of a file of any form that is read.

    Args:
        model: the base model that it is said to be for.
        name: the file's name; where the bytes do not say what they are, its suffix does.
        key: which direction; empty where the file has one.
    Raises:
        FormatError: the file is of no form that is read or breaks its own, it has no such direction, or
            several and none is named, or it is no addition.
        ModelMismatchError: it names another model, or is for one of another size.
    """
    engine, loose = read_any(data, name)
    key = _chosen(loose, key)
    if loose.native is not None and loose.native.model.model_hash != model.model_hash:
        raise ModelMismatchError(
            f"the file is for {loose.native.model.name} ({loose.native.model.model_hash}), not for "
            f"{model.name} ({model.model_hash}). Name the base model that it was made for"
        )
    _check_size(loose, key, model)
    if loose.operation != "add":
        raise FormatError(
            f"the file is for the operation {loose.operation}; only what is added can be measured here, so "
            "nothing else is imported",
            code="import.operation",
        )
    direction = loose.directions[key]
    check_direction(key, direction)
    return Importable(engine.name, engine.title, key, direction)


def _chosen(loose: LooseVector, key: str) -> str:
    there = ", ".join(loose.directions)
    if key:
        parse_site_key(key)
        if key not in loose.directions:
            raise FormatError(f"the file has no direction {key}; it has {there}", code="import.no_direction")
        return key
    if len(loose.directions) > 1:
        raise FormatError(
            f"the file has {len(loose.directions)} directions, and a report is about one; name it as "
            f"`direction`: {there}",
            code="import.several_directions",
        )
    return next(iter(loose.directions))


def _check_size(loose: LooseVector, key: str, model: ModelIdentity) -> None:
    _, block = parse_site_key(key)
    if loose.d_model == model.d_model and block < model.n_layers and loose.n_layers in (None, model.n_layers):
        return
    blocks = f"{loose.n_layers} blocks" if loose.n_layers else f"at least {block + 1} blocks"
    raise ModelMismatchError(
        f"the file is for a model of {blocks} of width {loose.d_model}; {model.name} has {model.n_layers} of "
        f"width {model.d_model}. Name the base model that it was made for"
    )
