"""A Python file that steers a transformers model by forward hooks, for those who have nothing else installed.

- Site: all, residual streams too; the modules are found as `models.sites` finds them.
- Index: 0-based decoder blocks.
- Operation: add, project and clamp, as `injection.operators` has them. Sign: positive adds; `project` takes
  away; `clamp` moves to the positive texts' set point, or at a negative multiplier to the negative texts'.
- Scale: `steered(model, multiplier)`.
- Exact: in float32 it does what `injection.steer` does, bit for bit, for a vector exported at a strength and
  multiplier 1. Below float32 `project` and `clamp` compute in float32 and round once, as there.
- The directions lie in a safetensors file beside it, under its name. The text holds nothing that was read
  from a vector but names of sites, numbers, and printable ASCII in quotes.
"""

import math
import re

import numpy as np
from safetensors.numpy import save

from steering_core.formats.control_vector import printable
from steering_core.formats.gguf_file import refused
from steering_core.formats.glp import unit
from steering_core.formats.lm_eval import set_point
from steering_core.formats.loose import Exported, LooseVector
from steering_core.vector import Direction

SUFFIX = ".safetensors"


def export(loose: LooseVector) -> Exported:
    """The Python file, with the directions beside it.

    Raises:
        FormatError: `clamp` without set points, a zero direction to project on, or no finite multiplier.
    """
    if not math.isfinite(loose.multiplier):
        raise refused("multiplier", f"the multiplier is {loose.multiplier}; expected a finite number")
    points = {}
    if loose.operation == "clamp":
        points = {key: set_point(loose, key, "the script") for key in loose.directions}
    directions = {key: _direction(loose, key) for key in loose.directions}
    said = {
        "MODEL": ascii(printable(loose.model)),
        "OPERATION": ascii(loose.operation),
        "MULTIPLIER": repr(float(loose.multiplier)),
        "N_BLOCKS": repr(loose.n_layers),
        "WIDTH": repr(loose.d_model),
        "SET_POINTS": repr(points),
    }
    script = re.sub(r"<([A-Z_]+)>", lambda name: said[name[1]], _SCRIPT)
    return Exported(
        data=script.encode("ascii"),
        sidecars={SUFFIX: save(directions)},
        usage=_USAGE.format(multiplier=f"{loose.multiplier:g}"),
    )


def _direction(loose: LooseVector, key: str) -> Direction:
    """As it is added; or of norm 1, rounded as `injection` rounds it."""
    row = loose.directions[key]
    if loose.operation == "add":
        return row
    unit(row, key)  # refuses a zero direction
    exact = (row if loose.native is None else loose.native.addition(1.0, key)).astype(np.float64)
    return (exact / np.linalg.norm(exact)).astype(np.float32)


_USAGE = """\
python FILE.py MODEL_FOLDER "your prompt"

# or in your own program
from FILE import steered
with steered(model, {multiplier}):
    model.generate(...)"""

_SCRIPT = '''\
"""Steers a transformers model with the directions in the .safetensors file beside this one.

    with steered(model, 1.0):
        model.generate(...)

It needs torch and transformers (which brings safetensors), and nothing else. Written by Bearing.
"""

import re
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file

MODEL = <MODEL>  # what the vector was made for
OPERATION = <OPERATION>
MULTIPLIER = <MULTIPLIER>  # add: factor on the direction; project, clamp: share of the way
N_BLOCKS = <N_BLOCKS>
WIDTH = <WIDTH>
SET_POINTS = <SET_POINTS>  # clamp: (negative, positive) by site
DIRECTIONS = load_file(Path(__file__).with_suffix(".safetensors"))

PARTS = {"mlp_out": r"mlp|ffn|feed_?forward|moe|expert|router|^fc\\d", "attn_out": r"attn|attention"}
BETWEEN = r"norm|^ln|dropout|_hc$|layer_?scale"
OTHER_PARTS = r"vision|visual|image|audio|speech|encoder"


@contextmanager
def steered(model, multiplier=MULTIPLIER):
    """Run a transformers causal language model steered, at every position, for as long as the block lasts."""
    blocks = find_blocks(model)
    with ExitStack() as undo:
        for key, direction in DIRECTIONS.items():
            site, _, block = key.partition(".")
            module = find_module(blocks[int(block)], site.partition("@")[0])
            hook = make_hook(key, site, direction, multiplier)
            undo.callback(module.register_forward_hook(hook).remove)
        yield


def find_blocks(model):
    """The decoder blocks: the outermost list of modules that is as long as the model is deep."""
    config = model.config.get_text_config()
    n_blocks = config.num_hidden_layers
    if config.hidden_size != WIDTH or N_BLOCKS not in (None, n_blocks):
        found = f"{n_blocks} blocks of width {config.hidden_size}"
        raise ValueError(f"the model has {found}; the vector is for {N_BLOCKS or 'any'} of width {WIDTH}")
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == n_blocks:
            if not re.search(OTHER_PARTS, name):
                return module
    raise ValueError(f"{type(model).__name__} has no list of {n_blocks} blocks")


def find_module(block, site):
    """The module whose output is the activation at a site."""
    if site == "resid_post":
        return block
    children = {name: child for name, child in block.named_children() if not re.search(BETWEEN, name)}
    found = [child for name, child in children.items() if re.search(PARTS[site], name)]
    if len(found) != 1:
        raise ValueError(f"{type(block).__name__} has no one module for {site}: {', '.join(children)}")
    return found[0]


def make_hook(key, site, direction, multiplier):
    stream = int(site.partition("@")[2]) if "@" in site else None

    def hook(module, args, output):
        whole = output[0] if isinstance(output, tuple) else output
        if whole.dim() != (3 if stream is None else 4):
            raise ValueError(f"{key} has shape {tuple(whole.shape)}: another number of residual streams")
        if stream is None:
            moved = act(key, whole, direction, multiplier)
        else:
            moved = whole.clone()
            moved[:, :, stream] = act(key, whole[:, :, stream], direction, multiplier)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    return hook


def act(key, hidden, direction, multiplier):
    """(batch, tokens, width) in, and out."""
    if OPERATION == "add":
        return hidden + (multiplier * direction).to(hidden)
    exact = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
    unit = direction.to(exact)[None, None]
    along = exact @ unit.transpose(-1, -2)
    if OPERATION == "project":
        return torch.addcmul(exact, -multiplier * along, unit).to(hidden)
    point = torch.tensor(SET_POINTS[key][multiplier > 0]).to(exact)
    return torch.addcmul(exact, abs(multiplier) * (point - along), unit).to(hidden)


if __name__ == "__main__":
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, prompt = sys.argv[1:3]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    for multiplier in (0.0, MULTIPLIER):
        with steered(model, multiplier):
            reply = model.generate(ids, max_new_tokens=64, do_sample=False)
        print(f"--- multiplier {multiplier:g}", tokenizer.decode(reply[0]), sep="\\n")
'''
