"""The client's uploads against the service itself: broken off, damaged on the way, into a bucket."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from registry.accounts.models import User
from registry.catalog.models import VectorVersion
from registry.settings.env import S3Config
from registry.storage.s3 import S3BlobStore
from registry.storage.s3_staging import S3Staging
from registry.uploads import selectors
from registry.uploads.models import Upload
from registry.uploads.services import Announcement, upload_open
from steering_core.client import Hub, hub_work, uploading
from steering_core.client.cli import app
from steering_core.errors import ClientError
from steering_core.formats.engines import ENGINES
from steering_core.formats.loose import LooseVector
from steering_core.spec import digest
from tests.factories import make_base_model, make_dataset_version, make_pairs_file, make_token, make_user

PAIRS = make_pairs_file(60)
PART = 2048
N_PARTS = -(-len(PAIRS) // PART)


@pytest.fixture
def owner(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> User:
    settings.UPLOAD_PART_BYTES = {"s3": PART, "app": PART}
    monkeypatch.setattr(hub_work, "IN_PARTS_BYTES", 0)
    return make_user()


@pytest.fixture
def token(owner: User) -> str:
    return make_token(owner)


@pytest.fixture
def hub(token: str, live_server: Any, tmp_path: Path) -> Iterator[Hub]:
    with Hub(live_server.url, token, tmp_path) as made:
        yield made


@pytest.fixture(params=["app", "s3"])
def way(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "s3":
        url = request.getfixturevalue("s3_server")
        config = S3Config(f"test-{uuid.uuid4().hex}", url, "us-east-1", "any", "any")
        store = S3Staging(S3BlobStore(config))
        store.store.client.create_bucket(Bucket=config.bucket)
        for module in ("selectors", "services", "expiry"):
            monkeypatch.setattr(f"registry.uploads.{module}.staging", lambda: store)
    settings.UPLOAD_METHOD = request.param
    return str(request.param)


def test_push_that_broke_off_goes_on_and_mends_what_was_damaged(
    hub: Hub, owner: User, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = upload_open(actor=owner, file=Announcement(digest(PAIRS), len(PAIRS), "dataset", "p.jsonl"))
    staging = selectors.staging()
    for number in (1, 3):
        staging.put(str(upload.pk), number, PAIRS[(number - 1) * PART :][:PART])
    staging.put(str(upload.pk), 2, b"x" * PART)
    sent: list[int] = []
    send_part = uploading._send_part

    def counted(*arguments: Any) -> None:
        sent.append(arguments[3])
        if len(sent) == 2:
            raise ClientError("the cable was pulled")
        send_part(*arguments)

    monkeypatch.setattr(uploading, "_send_part", counted)
    with pytest.raises(ClientError, match="cable"):
        hub.dataset_push(PAIRS, name="tone", filename="p.jsonl")
    arrived: list[int] = []
    pushed = hub.dataset_push(
        PAIRS, name="tone", filename="p.jsonl", progress=lambda done, total: arrived.append(done)
    )

    assert (pushed["reference"], pushed["created"]) == ("acme/tone@1", True)
    assert sent[0] == 2, "the damaged part is told by its digest"
    assert sent[1:] == [4, *range(4, N_PARTS + 1)]
    assert arrived[0] == 3 * PART
    assert arrived[-1] == len(PAIRS)
    assert Upload.objects.get().state == "complete"


def test_two_files_in_parts_and_what_is_here_already(hub: Hub) -> None:
    lines = [b"".join(b"%s number %d\n" % (word, n) for n in range(20)) for word in (b"kind", b"rude")]
    pushed = hub.dataset_push(lines[0], name="tone", negative=lines[1])
    again = hub.dataset_push(lines[0], name="tone", negative=lines[1])
    assert (pushed["source_format"], again["created"]) == ("two_files", False)
    assert Upload.objects.filter(state="complete").count() == 4


def test_bearing_import_sends_the_file_and_starts_a_run(
    owner: User, token: str, live_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_base_model()
    dataset = make_dataset_version(owner)
    for name, value in (("ENDPOINT", live_server.url), ("TOKEN", token), ("HOME", str(tmp_path))):
        monkeypatch.setenv(f"BEARING_{name}", value)
    rows = {f"resid_post.{block}": np.arange(1, 9, dtype=np.float32) + block for block in (1, 2)}
    file = tmp_path / "tone.svec"
    file.write_bytes(ENGINES["svec"].export(LooseVector(source="test", directions=rows, n_layers=4)).data)
    asked = [
        *("import", str(file), "--model", "bearing/demo", "--dataset", str(dataset)),
        *("--vector", "tone", "--no-wait", "--json"),
    ]

    unclear = CliRunner().invoke(app, asked)
    done = CliRunner().invoke(app, [*asked, "--direction", "resid_post.2", "--tier", "smoke"])

    assert unclear.exit_code == 2
    assert "resid_post.1, resid_post.2" in unclear.stderr
    assert done.exit_code == 0, done.output
    run = json.loads(done.stdout)["run"]
    assert (run["kind"], run["state"], run["vector"]) == ("import", "queued", "acme/tone")
    version = VectorVersion.objects.get()
    assert (version.origin, version.spec["tier"]) == ("imported", "smoke")
    assert version.spec["imported"]["form"] == "svec"
