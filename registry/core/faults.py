"""Points at which the fault tests may kill a worker. Without `FAULTS_PATH` each call is one comparison."""

import os
import signal
from pathlib import Path

from django.conf import settings

POINTS = ("before_claim", "after_claim", "mid_extraction", "after_blob", "inside_commit", "after_commit")


def fault_point(name: str, run_id: str) -> None:
    """Kill this process with SIGKILL if a marker `<run id>.<point>` lies in the folder; the marker is
    used up.
    """
    if not settings.FAULTS_PATH:
        return
    marker = Path(settings.FAULTS_PATH) / f"{run_id}.{name}"
    if marker.exists():
        marker.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
