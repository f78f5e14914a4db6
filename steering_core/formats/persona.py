"""Persona Vectors' `.pt` files: one bare tensor of [blocks + 1, width]. Written only; a `.pt` is never read.

Sources: dxnlp/persona_vectors, a fork of safety-research/persona_vectors, at e9f55e7 (generate_vec.py,
eval/eval_persona.py, activation_steer.py); the index is the subject of the upstream issue 12.

- Site: resid_post, the output of a block.
- Index: row k belongs to hidden_states[k], so row b+1 to the 0-based block b, and row 0 to the embeddings: it
  is zero here. `--layer k` takes row k and adds it after block k-1, so both agree on row b+1. Their own last
  row is measured behind the final norm but added before it; ours is measured where it is added.
- Operation: add. Sign: positive goes towards the trait.
- Scale: a raw factor, `--coef`. Directions are not normalised, as ours.
- One row at a time: eval_persona adds at one layer, however many the file has.
- `--steering_type response` adds at the last position of each pass only; `all` is how we measure.
"""

import numpy as np

from steering_core.formats.control_vector import check_operation, one_site
from steering_core.formats.gguf_file import refused
from steering_core.formats.loose import Exported, LooseVector


def export(loose: LooseVector) -> Exported:
    """The tensor, (n_layers + 1, d_model) float32, as `torch_payload`.

    Raises:
        FormatError: another operation than `add`, another site than resid_post, a residual stream, or a
            number of blocks that is not known.
    """
    check_operation(loose, ("add",), "Persona Vectors", "The file is a bare tensor and says nothing else")
    site = one_site(loose, ("resid_post",), "Persona Vectors")
    if loose.n_layers is None:
        raise refused(
            "n_layers",
            "the number of the model's blocks is not known, and the tensor has a row for each; convert from "
            "a file that says it, such as a native one",
        )
    rows = np.zeros((loose.n_layers + 1, loose.d_model), dtype=np.float32)
    blocks = loose.blocks(site)
    for block in blocks:
        rows[block + 1] = loose.at(site, block)
    warnings = ("eval_persona adds at one layer only, the one of --layer",) if len(blocks) > 1 else ()
    return Exported(torch_payload=rows, usage=_usage(loose, blocks), warnings=warnings)


def _usage(loose: LooseVector, blocks: tuple[int, ...]) -> str:
    layers = " or ".join(str(block + 1) for block in blocks)
    return (
        "python -m eval.eval_persona --model MODEL --trait TRAIT --version eval --output_path OUT.csv \\\n"
        f"    --vector_path FILE.pt --steering_type all --coef {loose.multiplier:g} --layer {blocks[0] + 1}\n"
        f"# --layer {layers}: persona_vectors counts the embeddings as 0, so this is block "
        f"{' or '.join(map(str, blocks))}."
    )
