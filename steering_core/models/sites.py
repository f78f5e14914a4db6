"""Where activations are read and written in a transformers model: blocks, sites, residual streams.

    resid_post      the output of a decoder block: the residual stream after it. Block i gives what
                    transformers calls hidden_states[i + 1]; the last block, the state before the final norm
    resid_post@k    stream k of it, in a model that keeps several (hyper-connections: deepseek_v4)
    mlp_out         what the block's feed-forward or mixture-of-experts module returns
    attn_out        what its attention module returns, after the output projection

`mlp_out` and `attn_out` are taken at the module itself: before the residual add, and before any norm, dropout
or scale that the block puts in between. In llama-like, GPT-2 and GPT-NeoX blocks (whose residual is parallel)
the value is what is added to the residual stream. Gemma 2 and 3 norm it first: an addition there is rescaled
together with the output that it joins, so its length in the residual stream is not its length at the site,
and a large one cannot grow past the norm's scale. In deepseek_v4 stream k receives it times `post_k(token)`
of the block's hyper-connection.

Reading happens in `steering_core.extraction`, writing in `steering_core.injection`; both come here.
"""

import inspect
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from steering_core.errors import ModelError
from steering_core.spec import parse_site

KNOWN = (
    *("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma2", "gemma3_text", "phi3"),
    *("gpt2", "gpt_neox", "gpt_oss", "deepseek_v2", "deepseek_v3", "deepseek_v4"),
)
_RIGHT_PADDING_ONLY = ("deepseek_v4",)

# Lists of blocks that belong to another part of a multimodal model.
_OTHER_PARTS = re.compile(r"vision|visual|image|audio|speech|encoder")
# What a block calls its parts. A block with two feed-forward parts has no one module that is its mlp_out.
_PARTS = {
    "mlp_out": re.compile(r"mlp|ffn|feed_?forward|moe|expert|router|^fc\d"),
    "attn_out": re.compile(r"attn|attention"),
}
_BETWEEN = re.compile(r"norm|^ln|dropout|_hc$|layer_?scale")

# Paths below a block that act on each token by itself, by model type; each is checked by the tests.
_SPLIT_QUERY = ("self_attn.q_proj", "self_attn.o_proj", "mlp")
_LATENT_QUERY = ("self_attn.o_proj", "mlp")
_TOKEN_WISE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe"), _SPLIT_QUERY),
    **dict.fromkeys(("gemma2", "gemma3_text"), _SPLIT_QUERY),
    "gpt_oss": ("self_attn.q_proj", "self_attn.o_proj"),  # its mlp returns router scores beside the output
    "phi3": ("self_attn.o_proj", "mlp"),
    "gpt2": ("attn.c_proj", "mlp"),
    "gpt_neox": ("attention.dense", "mlp"),
    **dict.fromkeys(("deepseek_v2", "deepseek_v3"), _LATENT_QUERY),
}
_PLAIN_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True, eq=False)
class Sites:
    """The blocks of a model and the modules at its sites.

    Attributes:
        root: the model without its language-model head; calling it computes no logits.
        blocks: the decoder blocks; the index is the block index.
        streams: how many residual streams the model keeps; 1 for nearly all.
        right_padding_only: padding on the left changes the activations of real tokens (deepseek_v4 compresses
            keys over absolute positions); pad on the right, or not at all.
    """

    root: nn.Module
    blocks: tuple[nn.Module, ...]
    d_model: int
    streams: int
    right_padding_only: bool

    def module(self, site: str, block: int) -> nn.Module:
        """The module whose output is the activation at a site; `read_site` takes it out of the output.

        Raises:
            FormatError: no such site anywhere.
            ModelError: `model.no_such_block`, `model.no_site` or `model.stream`.
        """
        name, stream = parse_site(site)
        if not 0 <= block < len(self.blocks):
            raise ModelError(
                f"block {block} does not exist; this model has blocks 0 to {len(self.blocks) - 1}",
                code="model.no_such_block",
            )
        if name == "resid_post":
            self._check_stream(stream)
            return self.blocks[block]
        return _part(self.blocks[block], name)

    def token_wise(self, block: int) -> tuple[nn.Module, ...]:
        """Submodules of a block that give the same rows for fewer tokens.

        Each takes one positional argument (batch, tokens, width) and returns one tensor of (batch, tokens,
        width): for some of the tokens, those tokens' rows. Only what is known to do so is named: nothing in a
        quantised block (which may scale activations over all tokens at once), in one with modules from
        elsewhere, or in an architecture that was not checked.
        """
        inside = self.blocks[block]
        paths = _TOKEN_WISE.get(_text_config(self.root).model_type, ())
        children = dict(inside.named_modules())
        if not all(path in children for path in paths) or not _is_plain(inside):
            return ()
        return tuple(children[path] for path in paths)

    def _check_stream(self, stream: int | None) -> None:
        if self.streams == 1 and stream is not None:
            raise ModelError(
                f"resid_post@{stream} names a residual stream, and this model has one only; use resid_post",
                code="model.stream",
            )
        if self.streams > 1 and stream is None:
            raise ModelError(
                f"this model keeps {self.streams} residual streams, so a residual vector must name its own: "
                f"resid_post@0 to resid_post@{self.streams - 1}. mlp_out and attn_out need none",
                code="model.stream",
            )
        if stream is not None and stream >= self.streams:
            raise ModelError(
                f"stream {stream} does not exist; this model has streams 0 to {self.streams - 1}",
                code="model.stream",
            )


def find_sites(model: nn.Module) -> Sites:
    """Find the decoder blocks of a transformers causal language model, by structure.

    The blocks are the one list of modules that is as long as the configuration says the model is deep.

    Raises:
        ModelError: `model.no_blocks`: there is no such list, or more than one.
    """
    root = _without_head(model)
    lists = {path: m for path, m in root.named_modules() if isinstance(m, nn.ModuleList) and len(m) > 0}
    config = _text_config(root)
    n_layers = getattr(config, "num_hidden_layers", None)
    deep = [path for path, m in lists.items() if len(m) == n_layers and not _OTHER_PARTS.search(path)]
    outermost = [p for p in deep if not any(p.startswith(f"{other}.") for other in deep)]
    if len(outermost) != 1:
        raise ModelError(_no_blocks(model, lists, n_layers), code="model.no_blocks")
    return Sites(
        root=root,
        blocks=tuple(lists[outermost[0]]),
        d_model=int(config.hidden_size),
        streams=int(getattr(config, "hc_mult", None) or 1),
        right_padding_only=config.model_type in _RIGHT_PADDING_ONLY,
    )


def read_site(site: str, output: Any) -> Tensor:
    """The activation (batch, tokens, d_model) in what the module at a site returned.

    Args:
        output: a tensor, or a tuple whose first part is one. A view where possible: do not write to it.

    Raises:
        ModelError: `model.residual_shape`: the activation has another shape.
    """
    return SiteOutput(site).read(output)


def write_site(site: str, output: Any, hidden: Tensor) -> Any:
    """A new output in which the activation at the site is `hidden`, (batch, tokens, d_model).

    Nothing is written in place; other residual streams and the other parts of a tuple are kept. The result
    has the dtype and device of the output.

    Raises:
        ModelError: as `read_site`.
    """
    return SiteOutput(site).write(output, hidden)


class SiteOutput:
    """Reads and writes what the module at one site returned; the site's name is parsed once."""

    def __init__(self, site: str) -> None:
        self._site = site
        self.stream = parse_site(site)[1]

    def read(self, output: Any) -> Tensor:
        """As `read_site`."""
        whole = _first(output)
        if self.stream is None:
            return _checked(self._site, whole, 3)
        return _checked(self._site, whole, 4, self.stream)[:, :, self.stream]

    def write(self, output: Any, hidden: Tensor) -> Any:
        """As `write_site`."""
        old = self.read(output)
        new = hidden.to(dtype=old.dtype, device=old.device)
        if self.stream is not None:
            whole = _first(output)
            new = torch.cat([whole[:, :, : self.stream], new.unsqueeze(2), whole[:, :, self.stream + 1 :]], 2)
        return (new, *output[1:]) if isinstance(output, tuple) else new


def _without_head(model: nn.Module) -> nn.Module:
    """The part below the head: where the class says it is, else where most keep it (llama4 needs that)."""
    names = (getattr(model, "base_model_prefix", ""), "model")
    inner = (getattr(model, name, None) for name in names if name)
    return next((module for module in inner if isinstance(module, nn.Module)), model)


def _text_config(root: nn.Module) -> Any:
    """The configuration of the language part; None where there is none."""
    config: Any = getattr(root, "config", None)
    return config.get_text_config() if hasattr(config, "get_text_config") else None


def _part(block: nn.Module, site: str) -> nn.Module:
    """The one child of a block that is its feed-forward or attention module."""
    names = [name for name, _ in block.named_children() if not _BETWEEN.search(name)]
    matching = [name for name in names if _PARTS[site].search(name)]
    part = block.get_submodule(matching[0]) if len(matching) == 1 else None
    # A module that is given the residual adds it itself (bloom), so its output is another thing.
    if part is None or "residual" in inspect.signature(type(part).forward).parameters:
        children = ", ".join(f"{name} ({type(child).__name__})" for name, child in block.named_children())
        raise ModelError(
            f"{type(block).__name__} has no one module whose output is {site}; "
            f"it holds {children or 'nothing'}. "
            f"Use resid_post, or a model of a known architecture: {', '.join(KNOWN)}",
            code="model.no_site",
        )
    return part


def _is_plain(block: nn.Module) -> bool:
    """Whether a block is transformers' own code on unquantised weights."""
    homes = {type(module).__module__ for module in block.modules()}
    own = all(home.startswith(("torch.nn.modules.", "transformers.")) for home in homes)
    quantised = any(home.startswith("transformers.integrations.") for home in homes)
    weights = all(type(p) is nn.Parameter and p.dtype in _PLAIN_DTYPES for p in block.parameters())
    return own and weights and not quantised


def _first(output: Any) -> Any:
    """The tensor in what a module returned: itself, or a tuple's first part."""
    return next(iter(output), None) if isinstance(output, tuple) else output


def _checked(site: str, whole: Any, dims: int, stream: int = 0) -> Tensor:
    if isinstance(whole, Tensor) and whole.dim() == dims and (dims == 3 or stream < whole.shape[2]):
        return whole
    found = f"shape {tuple(whole.shape)}" if isinstance(whole, Tensor) else type(whole).__name__
    expected = "(batch, tokens, d_model)" if dims == 3 else "(batch, tokens, streams, d_model)"
    raise ModelError(
        f"the module at {site} returns {found}; expected {expected}. "
        "This model keeps its activations there in a way that is not supported",
        code="model.residual_shape",
    )


def _no_blocks(model: nn.Module, lists: dict[str, nn.ModuleList], n_layers: int | None) -> str:
    found = [f"{path} ({len(m)} {type(m[0]).__name__})" for path, m in lists.items()]
    wanted = "of decoder blocks" if n_layers is None else f"of {n_layers} decoder blocks"
    return (
        f"no one list {wanted} is in {type(model).__name__}; its module lists are "
        f"{', '.join(found[:8]) or 'none'}. Known to work: {', '.join(KNOWN)}"
    )
