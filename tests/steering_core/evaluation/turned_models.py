"""Copies of a model that compute the same function in another basis: what is true of maps is known."""

import copy
import hashlib
from dataclasses import replace
from typing import Any

import torch


def turned(lm: Any, rotation: torch.Tensor, name: str) -> Any:
    """The same Llama with every activation h of its residual stream turned into h @ rotation.

    RMSNorm commutes with a rotation once its weights are folded into the matrices that read from it.

    Args:
        rotation: (d_model, d_model), orthogonal.
    """
    model = copy.deepcopy(lm.model)
    model.lm_head.weight = torch.nn.Parameter(lm.model.lm_head.weight.detach().clone())
    root = model.model
    with torch.no_grad():
        root.embed_tokens.weight.copy_(root.embed_tokens.weight @ rotation)
        for block in root.layers:
            attention, mlp = block.self_attn, block.mlp
            _turn_readers(
                block.input_layernorm, [attention.q_proj, attention.k_proj, attention.v_proj], rotation
            )
            _turn_readers(block.post_attention_layernorm, [mlp.gate_proj, mlp.up_proj], rotation)
            for writer in (attention.o_proj, mlp.down_proj):
                writer.weight.copy_(rotation.T @ writer.weight)
        _turn_readers(root.norm, [model.lm_head], rotation)
    # As a hash would: another name for other weights.
    return replace(lm, model=model, identity=replace(lm.identity, name=name, model_hash=_hash(name)))


def random_rotation(d_model: int, seed: int) -> torch.Tensor:
    """Drawn evenly from all rotations and reflections."""
    drawn = torch.randn(d_model, d_model, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    q, r = torch.linalg.qr(drawn)
    return (q * r.diagonal().sign()).float()


def permutation(d_model: int, seed: int) -> torch.Tensor:
    """A matrix that puts the units in another order."""
    order = torch.randperm(d_model, generator=torch.Generator().manual_seed(seed))
    return torch.eye(d_model)[order]


def _turn_readers(norm: Any, readers: list[Any], rotation: torch.Tensor) -> None:
    for reader in readers:
        reader.weight.copy_((reader.weight * norm.weight) @ rotation)
    norm.weight.fill_(1.0)


def _hash(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()
