"""A transformers model and its logits, in any environment that has torch and transformers 4.56 or newer."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM

from .job import Job, Rows

# On a CPU, float32 costs little and rounds nothing away; on a GPU weights are taken as they are stored.
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def load(folder: str) -> Any:
    """The model, from local files."""
    dtype = torch.float32 if DEVICE == "cpu" else "auto"
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
    return loaded.to(DEVICE).eval()


def logits(model: Any, job: Job) -> Rows:
    """Of the watched tokens, a row for each point."""
    rows: Rows = []
    for probe in job.probes:
        ids = torch.tensor([probe["ids"]], device=DEVICE)
        with torch.inference_mode():
            found = model(input_ids=ids, use_cache=False).logits[0].float()
        rows += found[probe["positions"]][:, job.watched].tolist()
    return rows
