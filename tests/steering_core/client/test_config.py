"""Where the client's settings come from, and how a token is kept."""

import stat
from pathlib import Path

import pytest

from steering_core.client.config import (
    check_token,
    is_loopback,
    load_config,
    normal_endpoint,
    store_token,
    stored_tokens,
)
from steering_core.errors import ClientError


def test_load_config_without_anything_uses_the_defaults(tmp_path: Path) -> None:
    config = load_config(environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert config.endpoint == "http://localhost:8000"
    assert config.home == tmp_path / "bearing"
    assert config.token == ""
    assert not config.offline


def test_load_config_relative_xdg_folder_is_ignored() -> None:
    assert load_config(environment={"XDG_CACHE_HOME": "cache"}).home == Path.home() / ".cache" / "bearing"


def test_load_config_arguments_come_before_the_environment(tmp_path: Path) -> None:
    environment = {
        "BEARING_ENDPOINT": "https://one.example",
        "BEARING_TOKEN": "brg_env",
        "BEARING_HOME": str(tmp_path / "env"),
        "BEARING_OFFLINE": "1",
    }
    from_environment = load_config(environment=environment)
    assert (from_environment.endpoint, from_environment.token) == ("https://one.example", "brg_env")
    assert from_environment.offline
    given = load_config("https://two.example/", "brg_given", tmp_path, False, environment=environment)
    assert (given.endpoint, given.token, given.home) == ("https://two.example", "brg_given", tmp_path)
    assert not given.offline


@pytest.mark.parametrize(
    ("offline", "mode", "meant"),
    [
        ("", "", "auto"),
        ("1", "", "offline"),
        ("0", "prefer_offline", "prefer_offline"),
        ("", "OFFLINE", "offline"),
        ("1", "offline", "offline"),
    ],
)
def test_load_config_mode_of_the_environment(tmp_path: Path, offline: str, mode: str, meant: str) -> None:
    environment = {"BEARING_OFFLINE": offline, "BEARING_DOWNLOAD_MODE": mode}
    assert load_config(home=tmp_path, environment=environment).mode == meant


@pytest.mark.parametrize(
    ("offline", "mode", "message"),
    [
        ("1", "auto", "BEARING_OFFLINE says offline and BEARING_DOWNLOAD_MODE says auto"),
        ("0", "offline", "says not offline and BEARING_DOWNLOAD_MODE says offline"),
        ("", "sometimes", "expected auto or prefer_offline or offline"),
    ],
)
def test_load_config_mode_that_cannot_be_meant_is_refused(
    tmp_path: Path, offline: str, mode: str, message: str
) -> None:
    environment = {"BEARING_OFFLINE": offline, "BEARING_DOWNLOAD_MODE": mode}
    with pytest.raises(ClientError, match=message) as refused:
        load_config(home=tmp_path, environment=environment)
    assert refused.value.code == "client.config"


def test_load_config_stored_token_belongs_to_its_endpoint(tmp_path: Path) -> None:
    store_token(tmp_path, "https://one.example", "brg_one")
    assert load_config("https://one.example", home=tmp_path, environment={}).token == "brg_one"
    assert load_config("https://two.example", home=tmp_path, environment={}).token == ""


def test_config_repr_does_not_show_the_token(tmp_path: Path) -> None:
    config = load_config(token="brg_secret", home=tmp_path, environment={})
    assert "brg_secret" not in repr(config)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("HTTP://LocalHost:8000/", "http://localhost:8000"),
        ("https://bearing.example/registry/", "https://bearing.example/registry"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_normal_endpoint_is_one_text_per_place(text: str, normal: str) -> None:
    assert normal_endpoint(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "localhost:8000",
        "ftp://host",
        "http://",
        "http://user:word@host",
        "http://host?a=b",
        "http://host#x",
        "http://ho st",
        "http://host:99999",
        "http://evil.example\\@good.example",
        "http://hóst",
    ],
)
def test_normal_endpoint_unusable_address_is_refused(text: str) -> None:
    with pytest.raises(ClientError) as refused:
        normal_endpoint(text)
    assert refused.value.code == "client.endpoint"
    assert "word" not in refused.value.message


def test_is_loopback_knows_this_machine() -> None:
    assert is_loopback("http://127.0.0.1:1")
    assert is_loopback("http://localhost")
    assert not is_loopback("http://127.0.0.1.evil.example")


@pytest.mark.parametrize("text", ["", "  ", "two words", "line\nline", "schlüssel", "x" * 501])
def test_check_token_unusable_text_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ClientError) as refused:
        check_token(text)
    assert refused.value.code == "client.token"
    if text.strip():
        assert text.strip() not in refused.value.message


def test_store_token_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "new"
    assert not store_token(home, "https://one.example", "brg_one")
    assert store_token(home, "https://one.example", "brg_two")
    file = home / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stored_tokens(home) == {"https://one.example": "brg_two"}
    assert [item.name for item in home.iterdir()] == ["credentials.json"]


def test_store_token_none_forgets_only_that_endpoint(tmp_path: Path) -> None:
    store_token(tmp_path, "https://one.example", "brg_one")
    store_token(tmp_path, "https://two.example", "brg_two")
    assert store_token(tmp_path, "https://one.example", None)
    assert stored_tokens(tmp_path) == {"https://two.example": "brg_two"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"https://one.example": 1}', b"\xff"])
def test_stored_tokens_damaged_file_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "credentials.json").write_bytes(content)
    with pytest.raises(ClientError, match=r"log in again|login again"):
        stored_tokens(tmp_path)


def test_store_token_in_an_unusable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClientError) as refused:
        store_token(tmp_path / "file" / "home", "https://one.example", "brg_one")
    assert refused.value.code == "client.credentials"


def test_load_config_offline_must_be_a_switch() -> None:
    with pytest.raises(ClientError, match="BEARING_OFFLINE"):
        load_config(environment={"BEARING_OFFLINE": "perhaps"})
