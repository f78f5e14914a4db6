"""The client against the running service: how often it asks, what it locks, and what it takes for gone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from registry.accounts.models import User
from registry.catalog.aliases import alias_set
from registry.catalog.gating import access_set
from registry.catalog.models import Vector
from registry.presets.drafts import MemberWish, PresetWish, preset_create
from registry.presets.publishing import preset_publish
from steering_core.client import GatedError, Hub, LockError, NotFoundError
from steering_core.client.cli import app
from steering_core.client.lockfile import read_lock, write_lock
from tests.factories import make_token, make_user, make_vector_version

Asked = list[str]


@pytest.fixture
def acme(transactional_db: None) -> User:
    """Two vectors, the first in two versions with an alias, and a preset of both."""
    user = make_user("acme")
    make_vector_version(user, "warmth", seed=1)
    make_vector_version(user, "warmth", seed=3, version="1.1.0")
    make_vector_version(user, "brevity", seed=2)
    move(user, "1.0.0")
    members = [
        MemberWish(reference="acme/warmth@1.0.0", strength=0.2, label="Warmth"),
        MemberWish(reference="acme/brevity", strength=-0.1),
    ]
    preset_create(actor=user, wish=PresetWish(name="mix", title="Warm and brief", members=members))
    preset_publish(actor=user, owner="acme", name="mix", version="1.0.0", visibility="public")
    return user


def move(user: User, version: str) -> None:
    alias_set(actor=user, owner="acme", name="warmth", alias="stable", version=version)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every request of the client, as it goes out."""
    sent: Asked = []
    send = httpx.Client.send

    def counted(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        sent.append(f"{request.method} {request.url.path.removeprefix('/api/v1')}")
        return send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", counted)
    return sent


@pytest.fixture
def hub(live_server: Any, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Hubs of the service on caches by name, closed in the end."""
    made: list[Hub] = []

    def make(home: str = "home", token: str = "", **options: Any) -> Hub:
        made.append(Hub(live_server.url, token, tmp_path / home, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.filterwarnings("ignore::steering_core.client.RegistryWarning")
def test_pull_asks_once_and_pins_ask_nothing(acme: User, hub: Any, asked: Asked) -> None:
    found = hub().pull_file("acme/warmth@stable")
    assert found.version == "1.0.0"
    assert [line.split("/")[1] for line in asked] == ["resolve", "vectors"]

    for reference in ("acme/warmth@1.0.0", f"acme/warmth@{found.digest}", found.digest):
        hub().pull(reference)
    assert len(asked) == 2
    hub(mode="prefer_offline").pull("acme/warmth@stable")
    assert len(asked) == 2
    move(acme, "1.1.0")
    assert hub().pull_file("acme/warmth@stable").version == "1.1.0"
    assert hub(mode="prefer_offline").pull_file("acme/warmth@stable").version == "1.1.0"
    assert len(asked) == 4


@pytest.mark.filterwarnings("ignore::steering_core.client.RegistryWarning")
def test_preset_is_one_question_and_its_files_and_mixes(acme: User, hub: Any, asked: Asked) -> None:
    found = hub().pull_preset("acme/mix@1.0.0")

    assert [line.split("/")[1] for line in asked] == ["resolve", "presets", "vectors", "vectors"]
    assert [strength for _, strength in found.mix()] == [0.2, -0.1]
    assert [strength for _, strength in found.mix({"Warmth": 0.3})] == [0.3, -0.1]
    assert {vector.model.model_hash for vector, _ in found.mix()} == {found.preset.model_hash}
    hub().pull_preset("preset:acme/mix@1.0.0")
    hub().pull("acme/brevity@1.0.0")
    assert len(asked) == 4
    with pytest.raises(NotFoundError, match="offline"):
        hub("empty", offline=True).pull_preset("acme/mix")


@pytest.mark.filterwarnings("ignore::steering_core.client.RegistryWarning")
def test_lock_is_pulled_with_one_question_and_then_with_none(acme: User, hub: Any, asked: Asked) -> None:
    lock = hub().lock(["acme/warmth@stable", "preset:acme/mix"])
    assert [entry.reference for entry in lock.entries] == [
        "acme/warmth@stable",
        "preset:acme/mix",
        "acme/warmth@1.0.0",
        "acme/brevity@1.0.0",
    ]
    assert read_lock(write_lock(lock)) == lock
    move(acme, "1.1.0")
    asked.clear()

    other = hub("elsewhere")
    files = {file.digest for entry in lock.entries for file in entry.files}
    assert other.pull_lock(lock) == len(files)
    assert asked[0] == "POST /resolve"
    assert len(asked) == 1 + len(files)
    assert hub("elsewhere").pull_lock(lock) == 0
    assert hub("elsewhere", offline=True).pull_file("acme/warmth@stable").version == "1.0.0"
    assert hub("elsewhere", offline=True).conformance("acme/warmth@1.0.0")
    assert len(asked) == 1 + len(files)

    ((entry, now),) = other.lock_moved(lock)
    assert (entry.reference, entry.version, now.version) == ("acme/warmth@stable", "1.0.0", "1.1.0")


def test_lock_whose_vector_is_not_given_any_more_says_so(acme: User, hub: Any, live_server: Any) -> None:
    lock = hub().lock(["acme/brevity"])
    Vector.objects.filter(name="brevity").update(visibility="private")
    with pytest.raises(LockError, match=r"does not give acme/brevity@1\.0\.0") as refused:
        hub("elsewhere").pull_lock(lock)
    assert refused.value.code == "lock.gone"
    assert hub("elsewhere", make_token(acme)).pull_lock(lock) == 2


def test_gated_vector_says_where_to_ask(acme: User, hub: Any, live_server: Any) -> None:
    access_set(actor=acme, owner="acme", name="brevity", access="gated")
    for ask in (lambda: hub().pull("acme/brevity"), lambda: hub().lock(["acme/brevity"])):
        with pytest.raises(GatedError) as refused:
            ask()
        assert refused.value.code == "access.gated"
        assert refused.value.request_url.endswith("/api/v1/vectors/acme/brevity/access-request")
    assert hub("mine", make_token(acme)).pull_file("acme/brevity").version == "1.0.0"


def test_commands_for_presets_locks_aliases_and_the_cache(
    acme: User, live_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BEARING_TOKEN", make_token(acme))
    monkeypatch.chdir(tmp_path)

    def bearing(*words: str, exit_code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["--endpoint", live_server.url, *words, "--json"])
        assert done.exit_code == exit_code, done.output
        return json.loads(done.stdout)

    members = ("--member", "acme/warmth@1.0.0=0.2=Warmth", "--member", "acme/brevity=-0.1")
    assert bearing("presets", "create", "acme/other", *members)["preset"] == "acme/other"
    assert bearing("presets", "publish", "acme/other", "--version", "1.0.0")["state"] == "published"
    assert {one["name"] for one in bearing("presets", "list", "--mine")["items"]} == {"mix", "other"}
    assert bearing("presets", "show", "acme/other")["members"][0]["label"] == "Warmth"
    assert bearing("presets", "uses", "acme/other", "--engine", "bearing")["items"][0]["usage"]
    assert bearing("pull", "preset:acme/other")["version"] == "1.0.0"

    assert len(bearing("lock", "acme/warmth@stable", "preset:acme/other")["entries"]) == 4
    assert bearing("lock", "--check")["moved"] == []
    bearing("alias", "set", "acme/warmth", "stable", "1.1.0")
    assert bearing("lock", "--check", exit_code=1)["moved"][0]["now"]["version"] == "1.1.0"
    assert bearing("alias", "list", "acme/warmth")["items"][0]["version"] == "1.1.0"
    assert [one["after"] for one in bearing("alias", "history", "acme/warmth", "stable")["items"]] == [
        "1.1.0",
        "1.0.0",
    ]
    changed = bearing("diff", "acme/warmth@1.0.0", "acme/warmth@1.1.0")
    assert (changed["before"]["version"], changed["after"]["version"]) == ("1.0.0", "1.1.0")
    assert bearing("diff", "acme/warmth@stable", "acme/brevity")["after"]["vector"] == "acme/brevity"
    assert bearing("pull", "--lock")["files"] == 7
    for words, shown in (
        ("presets list --mine", "Warmth"),
        ("presets show acme/other", "acme/brevity@1.0.0"),
        ("presets uses acme/other --engine llama.cpp", "acme-warmth.gguf"),
        ("pull preset:acme/other", "+0.2"),
        ("alias list acme/warmth", "stable"),
        ("alias history acme/warmth stable", "1.1.0"),
        ("diff acme/warmth@1.0.0 acme/warmth@1.1.0", "cosine"),
        ("pull --lock", "0 fetched now"),
        ("cache list", "acme/warmth@stable"),
    ):
        done = CliRunner().invoke(app, ["--endpoint", live_server.url, *words.split()])
        assert (done.exit_code, shown in done.stdout) == (0, True), (words, done.output)
    assert bearing("alias", "delete", "acme/warmth", "stable")["deleted"] == "acme/warmth@stable"
    bearing("deprecate", "acme/warmth@1.0.0", "--reason", "old", "--replacement", "acme/warmth@1.1.0")

    names = {name for item in bearing("cache", "list")["items"] for name in item["names"]}
    assert {"acme/warmth@1.0.0", "acme/warmth@stable", "preset:acme/other@1.0.0"} <= names
    assert bearing("cache", "prune")["removed"] == []
    whole = bearing("cache", "verify")
    Path(bearing("pull", "acme/warmth@1.0.0")["path"]).write_bytes(b"damaged")
    assert bearing("cache", "verify", exit_code=5) == whole | {
        "damaged": [bearing("lock", "acme/warmth@1.0.0")["entries"][0]["digest"]]
    }
    assert len(bearing("cache", "prune", "--all")["removed"]) == whole["files"] - 1
