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
class RunClaim:
    """The right to work on a run until the lease lapses. `lease_token` must be shown with every write.

    Attributes:
        suite_sha256: the suite that operators brought for the base model; empty for none.
        controls: files of other data sets' vectors, by sha256; those at the same place are tried beside.
        source: what a migration moves to the base model; None for the others.
        imported: what an import makes a vector of; None for the others.
    """

    run_id: str
    lease_token: int
    attempt: int
    lease_seconds: float
    spec: ExtractionSpec
    dataset_sha256: str
    model_name: str
    model_path: str
    model_hash: str
    scorer: str
    suite_sha256: str
    controls: tuple[str, ...]
    source: SourceClaim | None
    imported: ImportClaim | None = None


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
