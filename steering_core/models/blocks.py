"""Where the decoder blocks of a transformers model are, and what a block returns.

Reading happens in `steering_core.extraction`, writing in `steering_core.injection`; both come here for the
module.
"""

from typing import Any

import torch
from torch import Tensor, nn

from steering_core.errors import InjectionError, ModelError

# Names under which the architectures keep their list of decoder blocks, below the model without its head:
# llama, qwen, mistral, gemma, phi3, gpt_neox: `layers`; gpt2: `h`; wrapped text models:
# `language_model.layers`.
_PATHS = ("layers", "h", "blocks", "decoder.layers", "language_model.layers")


def base_model(model: nn.Module) -> nn.Module:
    """The model without its language-model head."""
    prefix = getattr(model, "base_model_prefix", "")
    inner = getattr(model, prefix, None) if prefix else None
    return inner if isinstance(inner, nn.Module) else model


def decoder_blocks(model: nn.Module) -> list[nn.Module]:
    """The decoder blocks in order; the list index is the block index.

    Raises:
        ModelError: no list of blocks is found where known architectures keep it.
    """
    root = base_model(model)
    for path in _PATHS:
        found: object = root
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList) and len(found) > 0:
            return list(found)
    raise ModelError(
        f"no decoder blocks found in {type(model).__name__}; looked for {', '.join(_PATHS)}. "
        "Llama, Qwen, Mistral, Gemma, Phi-3, GPT-2 and GPT-NeoX models are known to work",
        code="model.no_blocks",
    )


def site_module(model: nn.Module, site: str, block: int) -> nn.Module:
    """The module whose output is the activation at a site.

    Raises:
        InjectionError: the site is not `resid_post`, or there is no such block.
    """
    if site != "resid_post":
        raise InjectionError(
            f"site {site!r} cannot be read or written yet; use resid_post, the output of a decoder block",
            code="injection.unsupported_site",
        )
    blocks = decoder_blocks(model)
    if not 0 <= block < len(blocks):
        raise InjectionError(
            f"block {block} does not exist; this model has blocks 0 to {len(blocks) - 1}",
            code="injection.no_such_block",
        )
    return blocks[block]


def hidden_of(output: Any) -> Tensor:
    """The hidden states (batch, tokens, d_model) in what a block returned: the tensor, or a tuple's first
    part.

    Raises:
        ModelError: the residual stream has another shape.
    """
    hidden = output[0] if isinstance(output, tuple) else output
    if not isinstance(hidden, torch.Tensor) or hidden.dim() != 3:
        raise ModelError(
            "the decoder block does not return hidden states of shape (batch, tokens, d_model); "
            "models with another residual stream are not supported",
            code="model.residual_shape",
        )
    return hidden


def with_hidden(output: Any, hidden: Tensor) -> Any:
    """`output` with its hidden states replaced; the rest of a tuple is kept."""
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden
