"""lm-eval's `steered` models: a `.pt` file of a dict, module by module. Written only; a `.pt` is never read.

Source: lm-eval 0.4.13, lm_eval/models/hf_steered.py, which loads it with `weights_only=False`; ours holds
plain tensors and values, so the safe loader takes it as well.

- Site: the output of any module of the model without its head, by name: `layers.3` is resid_post of block 3,
  `layers.3.mlp` mlp_out, `layers.3.self_attn` attn_out. GPT-2 and GPT-NeoX name them otherwise. lm-eval stops
  if a name is not found, so a wrong one is never silent.
- Index: 0-based.
- Operation: `action` `add` is h + coefficient * v. `clamp` sets the component along v to the coefficient, so
  `project` is a clamp to 0, of all of the component, and our `clamp` one to a set point: the positive texts'
  at multiplier 1, the negative texts' at -1. A share of the way cannot be said.
- Sign: positive adds.
- Scale: `steering_coefficient` is the multiplier; for `clamp` an activation, whatever the norm of v.
- `bias` and `head_index` are none. All positions of prompt and reply are steered, as reports are measured.
"""

from typing import Any

from steering_core.formats.gguf_file import refused
from steering_core.formats.loose import Exported, LooseVector
from steering_core.spec import parse_site_key

SITES = ("resid_post", "mlp_out", "attn_out")

# What a model without its head calls its list of blocks, and a block its parts.
_LLAMA = {"resid_post": "layers.{}", "mlp_out": "layers.{}.mlp", "attn_out": "layers.{}.self_attn"}
_NAMES = {
    "GPT2LMHeadModel": {"resid_post": "h.{}", "mlp_out": "h.{}.mlp", "attn_out": "h.{}.attn"},
    "GPTNeoXForCausalLM": _LLAMA | {"attn_out": "layers.{}.attention"},
}


def export(loose: LooseVector) -> Exported:
    """The dict, with arrays for tensors, as `torch_payload`.

    Raises:
        FormatError: one of several residual streams; `project` or `clamp` of a share; `clamp` without set
            points; a zero direction to project on.
    """
    for site in loose.sites:
        if site not in SITES:
            raise refused(
                "site",
                f"the vector has {site}, one of several residual streams; lm-eval would steer all of them "
                "alike. Extract at mlp_out or attn_out",
            )
    architecture = loose.native.model.architecture if loose.native is not None else ""
    names = _NAMES.get(architecture, _LLAMA)
    steering = {}
    for key, row in loose.directions.items():
        site, block = parse_site_key(key)
        steering[names[site].format(block)] = {
            "steering_vector": row,
            "steering_coefficient": _coefficient(loose, key),
            "action": "add" if loose.operation == "add" else "clamp",
            "bias": None,
            "head_index": None,
        }
    return Exported(torch_payload=steering, usage=_usage(steering))


def set_point(loose: LooseVector, key: str, engine: str) -> tuple[float, float]:
    """The mean projections of the negative and the positive texts at a site.

    Raises:
        FormatError: `engine.set_points`: they are not known.
    """
    known = loose.native.set_points if loose.native is not None else {}
    if key not in known:
        raise refused(
            "set_points",
            f"no set points are known at {key}, and {engine} has to be told where to clamp to; take a vector "
            "that was measured, or one that adds",
        )
    return known[key]


def _coefficient(loose: LooseVector, key: str) -> float:
    if loose.operation == "add":
        return float(loose.multiplier)
    if not loose.directions[key].any():
        raise refused("zero", f"the direction at {key} is zero; there is nothing to project on")
    if loose.operation == "project" and loose.multiplier == 1:
        return 0.0
    if loose.operation == "clamp" and abs(loose.multiplier) == 1:
        return set_point(loose, key, "lm-eval")[loose.multiplier > 0]
    raise refused(
        "multiplier",
        f"{loose.operation} at {loose.multiplier:g} is a share of the way; lm-eval's clamp goes all of it. "
        "Export at strength 1",
    )


def _usage(steering: dict[str, Any]) -> str:
    return (
        "lm_eval --model steered --model_args pretrained=MODEL,steer_path=FILE.pt --tasks TASKS\n"
        f"# Steers the modules {', '.join(steering)}; lm-eval stops if the model has none of that name."
    )
