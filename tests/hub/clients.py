"""Runs the checks with an interpreter that has `huggingface_hub`, in an empty cache."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

CHECKS = Path(__file__).with_name("client_checks.py")
FILES = ["README.md", "bearing.json", "conformance.json", "report.json", "vector.safetensors"]


def run_checks(python: Path | str, endpoint: str, home: Path, there: dict[str, Any]) -> dict[str, Any]:
    """What the checks print; a failure shows what they said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "BEARING_"))}
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "30",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
    }
    done = subprocess.run(
        [str(python), str(CHECKS), json.dumps({"files": FILES, **there})],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
