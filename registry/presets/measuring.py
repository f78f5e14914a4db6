"""What was measured of a mix, put into its draft. The run that measures it is in `runs.composing`."""

from typing import Any

from registry.core.errors import ConflictError, InvalidError
from registry.presets.drafts import preset_locked
from registry.presets.models import PresetVersion
from registry.presets.selectors import version_rows
from registry.presets.states import MixVerdict, PresetState
from steering_core.errors import FormatError
from steering_core.evaluation.composition.record import Composition, read_composition


def composition_attach(
    *, version_id: Any, composition: bytes, verdict: str, reasons: tuple[str, ...]
) -> PresetVersion:
    """Give a draft its composition; strengths that were solved for become its own. To be called in the run's
    last transaction.

    Args:
        composition: as `steering_core.evaluation.composition.record.write_composition` writes it.
    Raises:
        InvalidError: it is none, or of another mix.
        ConflictError: the draft was published or discarded meanwhile.
    """
    try:
        found = read_composition(composition)
    except FormatError as error:
        raise InvalidError(error.message, code=error.code) from error
    preset_id = PresetVersion.objects.values_list("preset_id", flat=True).get(pk=version_id)
    preset_locked(preset_id)
    row = version_rows().get(pk=version_id)
    if row.state != PresetState.DRAFT:
        raise ConflictError(f"the draft was {row.state} meanwhile", code="preset.changed")
    labels = tuple(member.label for member in row.ordered)
    is_of_it = (found.names, found.model_hash) == (labels, row.base_model.model_hash)
    if not is_of_it or verdict not in MixVerdict.values:
        raise InvalidError("the composition is of another mix", code="preset.other_composition")
    row.composition, row.verdict, row.reasons = found.to_json(), verdict, list(reasons)
    row.save(update_fields=["composition", "verdict", "reasons"])
    if found.solution is not None and found.solution.wanted:
        _take_strengths(row, found)
    return row


def _take_strengths(row: PresetVersion, found: Composition) -> None:
    """The solver's strengths, and sliders that reach them."""
    assert found.solution is not None
    for member, strength in zip(row.ordered, found.solution.strengths, strict=True):
        # Six decimals, as the composition says them.
        member.strength = round(strength, 6)
        member.low, member.high = min(member.low, member.strength), max(member.high, member.strength)
        member.save(update_fields=["strength", "low", "high"])
