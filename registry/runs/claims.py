"""What passes between the service and a worker: frozen, and without a model in it."""

from dataclasses import dataclass
from typing import Any, Literal

from steering_core.spec import ExtractionSpec


@dataclass(frozen=True, slots=True)
class SourceClaim:
    """A vector file that is to be moved, and the base model that it was made for."""

    artifact_sha256: str
    model_name: str
    model_path: str
    model_hash: str


@dataclass(frozen=True, slots=True)
class ImportClaim:
    """A file that is to become a vector: its sha256, its name, and which of its directions is taken."""

    file_sha256: str
    filename: str
    direction: str


@dataclass(frozen=True, slots=True)
class ParentClaim:
    """A vector file that another is computed from, and what its directions are multiplied with."""

    artifact_sha256: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to work on a run until the lease lapses. `lease_token` must be shown with every write.

    Attributes:
        suite_sha256: the suite that operators brought for the base model; empty for none.
    """

    run_id: str
    lease_token: int
    attempt: int
    lease_seconds: float
    model_name: str
    model_path: str
    model_hash: str
    scorer: str
    suite_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClaim(Claim):
    """A vector to make.

    Attributes:
        controls: files of other data sets' vectors, by sha256; those at the same place are tried beside.
        source: what a migration moves to the base model; None for the others.
        imported: what an import makes a vector of; None for the others.
        parents: what a derivation computes with; empty for the others.
    """

    spec: ExtractionSpec
    dataset_sha256: str
    controls: tuple[str, ...]
    source: SourceClaim | None
    imported: ImportClaim | None = None
    parents: tuple[ParentClaim, ...] = ()


@dataclass(frozen=True, slots=True)
class MixMember:
    """A vector of a mix: its file, the pairs that its trait is measured with, and how hard it is applied."""

    label: str
    artifact_sha256: str
    dataset_sha256: str
    dataset_digest: str
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MixClaim(Claim):
    """A mix to measure.

    Attributes:
        members: at the strengths to measure, after the preset's mode.
        wanted: changes of traits, by label, to find strengths for; empty measures the members' own.
        tier: how much is measured.
    """

    members: tuple[MixMember, ...]
    wanted: dict[str, float]
    tier: str


@dataclass(frozen=True, slots=True)
class MixResult:
    """What measuring a mix ends in: the composition's canonical JSON, the verdict on it and why."""

    composition: bytes
    verdict: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArtifactResult:
    """What an extraction ends in.

    Attributes:
        artifact: the native file's bytes.
        statistics: the bytes of what is kept of the activations, see `steering_core.extraction.statistics`;
            empty for nothing.
        conformance: the bytes of the certificate of what an engine must do with the artifact, see
            `steering_core.formats.conformance`; empty for none.
        conformance_missing: why there is none, for people.
    """

    artifact: bytes
    report: dict[str, Any]
    statistics: bytes = b""
    conformance: bytes = b""
    conformance_missing: str = ""


Heartbeat = Literal["ok", "cancel", "timed_out", "lost"]
