"""Presets: a mix of pinned vectors, pulled and verified whole, ready for `steer`. `pulling` brings files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steering_core.client.cache import CachedRef
from steering_core.client.pulling import File, fetched, read_kept, vector_file
from steering_core.client.references import Reference, parse_reference
from steering_core.client.resolving import Source, meant, warn
from steering_core.errors import FormatError, VerificationError
from steering_core.formats.preset import MAX_BYTES, MEDIA_TYPE, Preset, PresetMember, read_preset
from steering_core.vector import SteeringVector


@dataclass(frozen=True, slots=True, eq=False)
class PulledPreset:
    """A verified preset and its vectors, in its order."""

    reference: str
    digest: str
    version: str
    path: Path
    preset: Preset
    vectors: tuple[SteeringVector, ...]
    warnings: tuple[str, ...]

    def mix(self, sliders: Mapping[str, float] | None = None) -> list[tuple[SteeringVector, float]]:
        """[(vector, strength), …] for `steer`.

        Args:
            sliders: strengths by label, in place of the preset's own: `{"Warmth": 0.3}`.

        Raises:
            FormatError: `preset.slider`: no such label, or a strength outside the slider's range.
        """
        return list(zip(self.vectors, self.preset.strengths(sliders), strict=True))


def pull_preset(reference: Reference, source: Source) -> PulledPreset:
    """The preset that a reference names, with all its vectors.

    Raises:
        NotFoundError: no such version for this token, or not in the cache and no client.
        GatedError, PaidError: a vector of it is kept back from this token.
        DigestMismatchError: bytes, or what a released version stands for, changed.
        FormatError: a file is no preset, or no vector.
    """
    wanted = meant(reference, source)
    for message in wanted.warnings:
        warn(message)
    preset = _read(reference, wanted.digest, source)
    vectors = tuple(_vector(member, source) for member in preset.members)
    for member, vector in zip(preset.members, vectors, strict=True):
        if vector.model.model_hash != preset.model_hash:
            raise VerificationError(
                f"{member.reference} is for the model {vector.model.model_hash}, and {reference} says "
                f"{preset.model_hash}; tell its publisher",
                code="client.preset_model",
            )
    return PulledPreset(
        reference=str(reference),
        digest=wanted.digest,
        version=preset.version,
        path=source.cache.path(wanted.digest),
        preset=preset,
        vectors=vectors,
        warnings=wanted.warnings,
    )


def pinned_members(reference: Reference, named: str, source: Source) -> tuple[PresetMember, ...]:
    """The members that the preset with this digest names; its file comes into the cache."""
    return _read(reference, named, source).members


def preset_file(reference: Reference, named: str) -> File:
    """The file of a preset by its digest."""
    path = f"/presets/{reference.owner}/{reference.name}/versions/{named}/download"
    return File(named, path, MEDIA_TYPE, MAX_BYTES, f"the file of {reference}")


def _read(reference: Reference, named: str, source: Source) -> Preset:
    data, _ = fetched(preset_file(reference, named), source)
    try:
        return read_preset(data)
    except FormatError:
        source.cache.remove(named)
        raise


def _vector(member: PresetMember, source: Source) -> SteeringVector:
    exact = parse_reference(member.reference)
    data, _ = fetched(vector_file(exact, member.digest), source)
    if source.cache.read_ref(exact) is None:
        source.cache.write_ref(exact, CachedRef(member.digest, exact.selector))
    return read_kept(data, member.digest, source.cache)
