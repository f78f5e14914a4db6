"""The client library of a Bearing registry; no torch, no Django.

from steering_core.client import pull
from steering_core.injection import steer

vector = pull("acme/formality@1.0.0")
with steer(model, [(vector, 0.3)]):
    ...
"""

from steering_core.client.hub import Extraction, Hub, RunUpdate, pull
from steering_core.client.pulling import Pulled, RegistryWarning
from steering_core.client.references import Reference, parse_reference

__all__ = [
    "Extraction",
    "Hub",
    "Pulled",
    "Reference",
    "RegistryWarning",
    "RunUpdate",
    "parse_reference",
    "pull",
]
