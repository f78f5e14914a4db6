"""EasySteer's steering spec in JSON: the `steering` field of a request, or a file for `--steering-config`.

Sources: vllm/model_hooks/steering/api.py (SteeringSpec, VectorSpec) and selection/spec.py (ApplySpec) of
ZJU-REAL/EasySteer-vllm-v1 at 4aca1f5, docs/user-guide/openai-server.md of ZJU-REAL/EasySteer at 3e242a6.

- Site and index: resid_post and 0-based blocks, block 0 included; the directions are an `easysteer_wire`
  payload inside the spec.
- Operation: `algorithm` `direct` is add, `erase` is project. `erase` takes the whole component away and
  ignores the scale, so only a multiplier of 1 can be said.
- Sign: positive adds, and `erase` has none.
- Scale: `scale` is the multiplier. `normalize` rescales to the norm before, another operation; it is false.
- Positions: all of prompt and reply, as reports are measured.
- Several vectors take `conflict` `sequential` and a server with `--steer-multi-vector`: by default the first
  one at a position wins (docs/user-guide/steering.md and api-reference/engine-configuration.md of
  ZJU-REAL/EasySteer).
- Exact: directions, blocks, operation and multiplier return bit for bit.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from steering_core.formats.control_vector import check_operation
from steering_core.formats.easysteer_gguf import ALGORITHMS, APPLY
from steering_core.formats.easysteer_wire import directions_from, json_object, looks_like_json, payload
from steering_core.formats.gguf_file import refused
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import canonical_json, site_key
from steering_core.vector import Direction

_OPERATIONS = {algorithm: operation for operation, algorithm in ALGORITHMS.items()}
_KNOWN = {"source", "data", "algorithm", "scale", "layers", "normalize", "apply", "params", "name"}


def matches(data: bytes) -> bool:
    """Whether the bytes begin as a JSON object and hold a spec's keys."""
    return looks_like_json(data) and b'"vectors"' in data and b'"apply"' in data


def read(data: bytes, sidecar: bytes | None = None) -> LooseVector:
    """The vector of a spec that has one, with its payload inside.

    Raises:
        FormatError: several vectors, a path in place of a payload, another algorithm, a broken payload.
    """
    spec = json_object(data)
    vectors = spec.get("vectors") if isinstance(spec, dict) else None
    if not isinstance(vectors, list) or len(vectors) != 1 or not isinstance(vectors[0], dict):
        raise refused("request", "vectors must be a list of one object; split a spec of several")
    vector = vectors[0]
    operation = _checked(vector)
    return LooseVector(
        source="EasySteer request",
        directions=_at_layers(directions_from(vector["data"]), vector.get("layers")),
        operation=operation,
        multiplier=1.0 if operation == "project" else float(vector.get("scale", 1.0)),
        warnings=_position_warnings(vector.get("apply")),
    )


def export(loose: LooseVector) -> Exported:
    """A spec of one vector at all positions.

    Raises:
        FormatError: `clamp`, another site than resid_post, a residual stream, or `project` of less than all.
    """
    check_operation(
        loose, ALGORITHMS, "EasySteer", "Its replace algorithm puts the direction in, no set point"
    )
    if loose.operation == "project" and loose.multiplier != 1:
        raise refused(
            "multiplier",
            f"the vector takes {loose.multiplier:g} of the component away; EasySteer's erase takes all of "
            "it, whatever the scale. Export at strength 1, or for an engine with a share: GLP, ds4",
        )
    if not math.isfinite(loose.multiplier):
        raise refused("multiplier", f"the multiplier is {loose.multiplier}; expected a finite number")
    algorithm = ALGORITHMS[loose.operation]
    vector = {
        "data": payload(loose),
        "algorithm": algorithm,
        "scale": loose.multiplier,
        "layers": [block for site in loose.sites for block in loose.blocks(site)],
        "normalize": False,
        "apply": APPLY,
    }
    return Exported(data=canonical_json({"vectors": [vector]}), usage=usage([algorithm]))


def joined(specs: Iterable[bytes]) -> dict[str, Any]:
    """One spec of the vectors of several, all of which act: by itself EasySteer applies the first alone."""
    vectors = [vector for spec in specs for vector in json_object(spec)["vectors"]]
    return {"vectors": vectors, **({"conflict": "sequential"} if len(vectors) > 1 else {})}


def usage(algorithms: Sequence[str]) -> str:
    """How to run the server and ask it, with the algorithms of the spec's vectors."""
    names = ",".join(dict.fromkeys(algorithms))
    several = " --steer-multi-vector" if len(algorithms) > 1 else ""
    return (
        f"vllm serve MODEL --enable-steer-vector --steer-algorithms {names}{several}\n"
        "# or for every request: vllm serve MODEL --steering-config FILE.json\n"
        "\n"
        "import json\n"
        "from openai import OpenAI\n"
        'client = OpenAI(base_url="http://localhost:8000/v1", api_key="EMPTY")\n'
        'steering = json.load(open("FILE.json"))\n'
        'messages = [{"role": "user", "content": "Hello"}]\n'
        'client.chat.completions.create(model="MODEL", messages=messages, extra_body={"steering": steering})'
    )


def _checked(vector: dict[str, Any]) -> str:
    """The operation of a vector whose other fields can be meant."""
    if unknown := vector.keys() - _KNOWN:
        raise refused("request", f"a vector has the unknown field {min(unknown)[:40]!a}")
    if vector.get("data") is None:
        raise refused("request", "the vector is a file on the server (source); convert that file instead")
    algorithm = vector.get("algorithm", "direct")
    if not isinstance(algorithm, str) or algorithm not in _OPERATIONS:
        raise refused("operation", f"the algorithm is {str(algorithm)[:40]!a}; direct and erase are read")
    if vector.get("normalize", False) is not False or vector.get("params") not in (None, {}):
        raise refused("operation", "normalize and params change the operation; a spec without them is read")
    scale = vector.get("scale", 1.0)
    if type(scale) not in (int, float):
        raise refused("multiplier", f"scale is {str(scale)[:40]!a}; expected a number")
    return _OPERATIONS[algorithm]


def _at_layers(directions: dict[str, Direction], layers: object) -> dict[str, Direction]:
    """Those that the spec applies: `layers` chooses among the payload's, None takes all."""
    if layers is None:
        return directions
    if not isinstance(layers, list) or not all(type(layer) is int and layer >= 0 for layer in layers):
        raise refused("request", f"layers is {str(layers)[:40]}; expected a list of block indices")
    chosen = {site_key("resid_post", layer) for layer in layers}
    return {key: row for key, row in directions.items() if key in chosen}


def _position_warnings(apply: object) -> tuple[str, ...]:
    said = (
        {key: value for key, value in apply.items() if value is not None} if isinstance(apply, dict) else {}
    )
    return () if said == APPLY else ("the spec steers only some positions; taken as all of them",)
