"""Which floating-point type a model's weights are loaded in. Used by `load`.

Whatever it is, hooks and sums compute in float32.
"""

import torch

from steering_core.errors import ModelError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_dtype(wanted: str, stored: torch.dtype | None, device: torch.device) -> torch.dtype:
    """The dtype asked for; for `auto`, the one the weights are stored in if the device is fast in it.

    Otherwise float32, which holds every half-precision value exactly. On a CPU without matrix units for
    bfloat16 it is several times faster than bfloat16, even where there are vector instructions for that.

    Args:
        wanted: `auto`, or a name in `DTYPES`.
        stored: what the checkpoint says of its weights, None if nothing.

    Raises:
        ModelError: `wanted` is neither.
    """
    if wanted in DTYPES:
        return DTYPES[wanted]
    if wanted != "auto":
        raise ModelError(
            f"dtype {wanted!r} is not known; choose auto or one of {', '.join(DTYPES)}",
            code="model.unknown_dtype",
        )
    return stored if stored is not None and stored in _fast_in(device) else torch.float32


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


def _fast_in(device: torch.device) -> tuple[torch.dtype, ...]:
    """The half precisions that a device has units for."""
    if device.type == "cuda":
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return (torch.bfloat16, torch.float16) if has_bfloat16 else (torch.float16,)
    if device.type == "cpu" and torch.cpu.get_capabilities().get("amx_bf16"):
        return (torch.bfloat16,)
    return ()
