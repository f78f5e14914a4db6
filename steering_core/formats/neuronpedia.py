"""Neuronpedia's upload of a steering vector: the JSON body of POST /api/vector/new.

Source: hijohnnylin/neuronpedia at ebb8426 (apps/webapp/app/api/vector/new/route.tsx,
lib/utils/neuron-vector.ts, lib/utils/steer.ts; apps/inference/.../endpoints/steer/completion.py).

- Site: `hookType` `hook_resid_post` is resid_post, the output of layer `layerNumber`; `hook_resid_pre` is the
  input of that layer, so resid_post of the block before it. The API's page calls them resid-post and
  resid-pre, which the server refuses.
- Index: 0-based. `hook_resid_pre` of layer 0, the embeddings, cannot be said here.
- Operation: add, the default of steering there; which one acts is chosen with each request.
- Sign: positive adds.
- Scale: `vectorDefaultSteerStrength` is the multiplier that steering starts from, -300 to 300 (the API's page
  says 100). Vectors are added as they are (`normalize_steering` is false).
- One vector is one direction: a file of several is a list of bodies, to be sent one by one.
- `modelId` is Neuronpedia's own name of a model, guessed from the model's: lower case, without the owner.
- At most 24,576 values.
- Exact: numbers are written as the decimal of the float32, so directions, blocks and multiplier return bit
  for bit.
"""

from typing import Any

from steering_core.formats.control_vector import check_operation, one_site, printable
from steering_core.formats.easysteer_wire import MAX_LAYERS, json_object
from steering_core.formats.gguf_file import refused
from steering_core.formats.loose import Exported, LooseVector
from steering_core.formats.svec import number_row
from steering_core.spec import canonical_json, site_key
from steering_core.vector import Direction

MAX_VALUES = 24_576
MAX_STRENGTH = 300.0

_FIELDS = {"modelId", "layerNumber", "hookType", "vector", "vectorDefaultSteerStrength", "vectorLabel"}
# Hook -> what to add to its layer for the block that has it as its output.
_HOOKS = {"hook_resid_post": 0, "hook_resid_pre": -1}


def matches(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object or list and hold the keys of an upload."""
    begins = data[:64].lstrip()[:1] in (b"{", b"[")
    return begins and b'"layerNumber"' in data and b'"hookType"' in data


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of one body, or of a list of bodies that differ in layer only.

    Raises:
        FormatError: a body that the server would refuse, several models or strengths, two bodies for a block.
    """
    value = json_object(data)
    bodies = value if isinstance(value, list) else [value]
    if not 1 <= len(bodies) <= MAX_LAYERS:
        raise refused("request", f"expected 1 to {MAX_LAYERS} bodies of an upload")
    directions = dict(map(_direction, bodies))
    if len(directions) < len(bodies):
        raise refused("request", "two bodies are for the same block; split the list")
    said = {(body["modelId"], body["vectorDefaultSteerStrength"]) for body in bodies}
    if len(said) > 1:
        raise refused("request", "the bodies differ in modelId or vectorDefaultSteerStrength; split the list")
    return LooseVector(
        source="Neuronpedia upload",
        directions=directions,
        model=printable(bodies[0]["modelId"]),
        multiplier=float(bodies[0]["vectorDefaultSteerStrength"]),
        notes={"vectorLabel": printable(bodies[0]["vectorLabel"])},
    )


def export(loose: LooseVector) -> Exported:
    """The body of an upload, or a list of them for several directions.

    Raises:
        FormatError: another operation than `add`, another site than resid_post, a residual stream, a
            multiplier or a width that the server refuses.
    """
    check_operation(loose, ("add",), "Neuronpedia", "An upload does not name an operation")
    site = one_site(loose, ("resid_post",), "Neuronpedia")
    if not abs(loose.multiplier) <= MAX_STRENGTH:
        raise refused(
            "multiplier",
            f"the multiplier {loose.multiplier:g} is not within ±{MAX_STRENGTH:g}, as Neuronpedia demands; "
            "export at a strength, so that it is 1",
        )
    if loose.d_model > MAX_VALUES:
        raise refused("size", f"the vector has {loose.d_model:,} values; Neuronpedia takes {MAX_VALUES:,}")
    model = loose.model.rpartition("/")[2].lower() or "MODEL"
    bodies = [
        {
            "modelId": model,
            "layerNumber": block,
            "hookType": "hook_resid_post",
            "vector": loose.at(site, block).tolist(),
            "vectorDefaultSteerStrength": float(loose.multiplier),
            "vectorLabel": _label(loose),
        }
        for block in loose.blocks(site)
    ]
    return Exported(
        data=canonical_json(bodies[0] if len(bodies) == 1 else bodies),
        usage=_USAGE_OF_ONE if len(bodies) == 1 else _USAGE_OF_SEVERAL,
        warnings=(
            f"modelId {printable(model)} is a guess; put in the name that Neuronpedia gives the model",
        ),
    )


def _label(loose: LooseVector) -> str:
    """The label that was read, else one by which the vector is found again."""
    if loose.native is not None:
        return f"{loose.native.provenance.method} {loose.native.tensor_digest[:19]}"
    return loose.notes.get("vectorLabel") or "steering vector"


def _direction(body: Any) -> tuple[str, Direction]:
    if not isinstance(body, dict) or body.keys() != _FIELDS:
        raise refused("request", f"the body of an upload has exactly {', '.join(sorted(_FIELDS))}")
    layer, hook, strength = body["layerNumber"], body["hookType"], body["vectorDefaultSteerStrength"]
    if not isinstance(hook, str) or hook not in _HOOKS:
        raise refused("hook_point", f"hookType is {str(hook)[:40]!a}; expected {' or '.join(_HOOKS)}")
    if type(layer) is not int or not 0 <= layer < 1_000_000:
        raise refused("request", f"layerNumber is {str(layer)[:40]!a}; expected a block index")
    if not isinstance(body["modelId"], str) or not isinstance(body["vectorLabel"], str):
        raise refused("request", "modelId and vectorLabel must be texts")
    if type(strength) not in (int, float) or not abs(strength) <= MAX_STRENGTH:
        raise refused("multiplier", f"vectorDefaultSteerStrength is {str(strength)[:24]!a}; expected ±300")
    block = layer + _HOOKS[hook]
    if block < 0:
        raise refused(
            "embeddings",
            "hook_resid_pre of layer 0 is the embeddings; no site here is before the first block",
        )
    return site_key("resid_post", block), number_row(body["vector"], "vector")


_POST = (
    "curl https://www.neuronpedia.org/api/vector/new -H 'Content-Type: application/json' \\\n"
    '    -H "x-api-key: $NEURONPEDIA_API_KEY" -d '
)
_USAGE_OF_ONE = f"{_POST}@FILE.json"
_USAGE_OF_SEVERAL = f"jq -c '.[]' FILE.json | while read -r body; do\n{_POST}\"$body\"\ndone"
