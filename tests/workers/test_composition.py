"""The measurement of a preset on the demo model, from its start to a published preset with numbers."""

from collections.abc import Iterator

import pytest

from registry.accounts.models import User
from registry.catalog.base_models import base_model_register
from registry.catalog.releasing import version_publish
from registry.core.errors import ConflictError
from registry.presets.drafts import MemberWish, PresetWish, preset_create
from registry.presets.models import PresetVersion
from registry.presets.publishing import preset_publish
from registry.presets.selectors import preset_version_get
from registry.runs.composing import MeasureRequest, measurement_start
from registry.runs.models import Run
from registry.runs.services import ExtractionRequest, extraction_start
from registry.storage.services import blob_read
from steering_core.demo.paths import weights_path
from steering_core.formats.preset import read_preset
from tests.factories import make_demo_dataset, make_user
from workers.tasks import composition, extraction

AXES = ("formality", "confidence")


@pytest.fixture
def draft(transactional_db: None) -> Iterator[PresetVersion]:
    """Two axes of the demo language, extracted, published for their owner alone, and mixed."""
    owner = make_user()
    base_model_register(path=weights_path(), name="bearing/demo", scorer="demo")
    for axis in AXES:
        request = ExtractionRequest(
            str(make_demo_dataset(owner, axis)), "bearing/demo", axis, site="resid_post", tier="smoke"
        )
        run, _ = extraction_start(actor=owner, request=request)
        extraction.extract(str(run.pk))
        version_publish(actor=owner, name=axis, version="1.0.0", license="MIT")
    wish = PresetWish("sure", [MemberWish(f"acme/{axis}", 0.1, axis.capitalize()) for axis in AXES])
    yield preset_create(actor=owner, wish=wish)
    extraction.load.cache_clear()
    composition.load.cache_clear()


def again(draft: PresetVersion) -> PresetVersion:
    owner = User.objects.get()
    return preset_version_get(viewer=owner, owner="acme", name="sure", reference=str(draft.pk))


def measured(draft: PresetVersion, **wish: object) -> Run:
    owner = User.objects.get()
    request = MeasureRequest("acme", "sure", str(draft.pk), tier="smoke", **wish)  # type: ignore[arg-type]
    run, _ = measurement_start(actor=owner, request=request)
    with pytest.raises(ConflictError, match="being measured"):
        measurement_start(actor=owner, request=request)
    composition.measure_mix(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.error_message) == ("succeeded", "")
    return run


def test_mix_is_measured_solved_for_and_published_with_its_numbers(draft: PresetVersion) -> None:
    measured(draft)

    row = again(draft)
    assert row.verdict in ("pass", "warn", "fail")
    assert row.composition is not None
    assert [member["name"] for member in row.composition["members"]] == ["Formality", "Confidence"]
    solution = row.composition["solution"]
    assert solution["strengths"] == [0.1, 0.1]
    assert solution["measured"][0]["value"] > 0

    measured(draft, wanted={"Formality": 0.2})
    row = again(draft)
    assert row.composition is not None
    found = row.composition["solution"]["strengths"]
    assert [member.strength for member in row.ordered] == pytest.approx(found, abs=1e-6)
    assert found[0] > 0

    if row.verdict != "fail":
        published = preset_publish(actor=User.objects.get(), owner="acme", name="sure", version="1.0.0")
        file = read_preset(blob_read(sha256=str(published.manifest_id)))
        assert file.composition == row.composition
