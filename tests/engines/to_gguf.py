"""A transformers Llama as a GGUF model for llama.cpp, in F32, for token ids only.

Tensor names: gguf-py/gguf/tensor_mapping.py. llama.cpp turns pairs of neighbouring numbers in its RoPE, and
transformers the two halves of a head, so the rows of q and k change places.
"""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
ENDS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def write_gguf_model(folder: Path, file: Path, quantisation: gguf.GGMLQuantizationType | None = None) -> Path:
    """Write the model of a folder.

    Args:
        quantisation: of the weight matrices, such as Q8_0, where their rows divide into its blocks.
    """
    config: Any = _config(folder)
    weights = load_file(folder / "model.safetensors")
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    _add_vocabulary(writer, config.vocab_size)
    for name, values in weights.items():
        exact = values.astype(np.float32)
        if name.endswith("q_proj.weight"):
            exact = _for_rope(exact, config.num_attention_heads)
        if name.endswith("k_proj.weight"):
            exact = _for_rope(exact, config.num_key_value_heads)
        _add(writer, _name(name), exact, quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _config(folder: Path) -> Any:
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)


def _add_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    """llama.cpp wants one, and it is never used."""
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"<{i}>" for i in range(size)])
    writer.add_token_scores([0.0] * size)
    special = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    writer.add_token_types([*special, *[gguf.TokenType.NORMAL] * (size - len(special))])


def _name(name: str) -> str:
    path, _, kind = name.rpartition(".")
    if path in ENDS:
        return f"{ENDS[path]}.{kind}"
    _, _, block, part = path.split(".", 3)
    return f"blk.{block}.{NAMES[part]}.{kind}"


def _for_rope(weight: npt.NDArray[np.float32], n_heads: int) -> npt.NDArray[np.float32]:
    rows, columns = weight.shape
    halves = weight.reshape(n_heads, 2, rows // n_heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))


def _add(
    writer: gguf.GGUFWriter,
    name: str,
    values: npt.NDArray[np.float32],
    quantisation: gguf.GGMLQuantizationType | None,
) -> None:
    if quantisation is None or values.ndim < 2:
        writer.add_tensor(name, values)
        return
    writer.add_tensor(name, gguf.quants.quantize(values, quantisation), raw_dtype=quantisation)
