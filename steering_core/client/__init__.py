"""The client library of a Bearing registry; no torch, no Django.

from steering_core.client import pull
from steering_core.injection import steer

vector = pull("acme/formality@1.0.0")
with steer(model, [(vector, 0.3)]):
    ...
"""

from steering_core.client.hub import Extraction, Hub, RunUpdate, pull, pull_preset
from steering_core.client.lockfile import Lock, LockEntry, read_lock, write_lock
from steering_core.client.presets import PulledPreset
from steering_core.client.pulling import Pulled
from steering_core.client.references import Reference, ReferenceSyntaxError, parse_reference
from steering_core.client.resolving import RegistryWarning
from steering_core.errors import (
    ClientError,
    ConflictError,
    DigestMismatchError,
    GatedError,
    InvalidError,
    LockError,
    NotAllowedError,
    NotFoundError,
    PaidError,
    RateLimitedError,
    RemovedError,
    UnreachableError,
    VerificationError,
    YankedError,
)

__all__ = [
    "ClientError",
    "ConflictError",
    "DigestMismatchError",
    "Extraction",
    "GatedError",
    "Hub",
    "InvalidError",
    "Lock",
    "LockEntry",
    "LockError",
    "NotAllowedError",
    "NotFoundError",
    "PaidError",
    "Pulled",
    "PulledPreset",
    "RateLimitedError",
    "Reference",
    "ReferenceSyntaxError",
    "RegistryWarning",
    "RemovedError",
    "RunUpdate",
    "UnreachableError",
    "VerificationError",
    "YankedError",
    "parse_reference",
    "pull",
    "pull_preset",
    "read_lock",
    "write_lock",
]
