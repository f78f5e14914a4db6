"""`Hub`: what a registry can do, as methods. The CLI is made of it; the hub_* modules have them by noun.

Answers of the registry are its JSON objects as they come, described in docs/openapi.json.
"""

from pathlib import Path

from steering_core.client.hub_presets import Presets
from steering_core.client.hub_vectors import Vectors
from steering_core.client.hub_work import Extraction, RunUpdate, Work
from steering_core.client.presets import PulledPreset
from steering_core.vector import SteeringVector

__all__ = ["Extraction", "Hub", "RunUpdate", "pull", "pull_preset"]


class Hub(Vectors, Presets, Work):
    """One registry and one cache, with all that can be done with them; the arguments are `Connection`'s."""


def pull(
    reference: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    home: Path | str | None = None,
    offline: bool | None = None,
    mode: str | None = None,
) -> SteeringVector:
    """A verified vector in one line: `pull("acme/formality@1.0.0")`. See `Hub.pull` and `Hub`."""
    with Hub(endpoint, token, home, offline, mode=mode) as hub:
        return hub.pull(reference)


def pull_preset(
    reference: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    home: Path | str | None = None,
    offline: bool | None = None,
    mode: str | None = None,
) -> PulledPreset:
    """A verified preset with its vectors in one line. See `Hub.pull_preset` and `Hub`."""
    with Hub(endpoint, token, home, offline, mode=mode) as hub:
        return hub.pull_preset(reference)
