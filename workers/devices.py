"""Which device a worker computes on."""

import torch


def best_device() -> str:
    """`cuda` when a GPU is there, else `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"
