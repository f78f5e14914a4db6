"""The `bearing` command: what goes to which stream, and with which exit code it ends."""

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from steering_core.client.cli import app
from steering_core.client.config import stored_tokens
from steering_core.formats.bearing import inspect_vector, write_vector
from steering_core.spec import digest

KEY = "resid_post.2"
COMMANDS = [
    *(
        ["login"],
        ["logout"],
        ["whoami"],
        ["extract"],
        ["search"],
        ["show"],
        ["pull"],
        ["verify"],
        ["inspect"],
    ),
    *(["publish"], ["yank"], ["try"], ["dataset", "check"], ["dataset", "push"], ["dataset", "list"]),
    *(["dataset", "show"], ["run", "list"], ["run", "show"], ["run", "watch"], ["run", "cancel"]),
    ["models", "list"],
]


@pytest.fixture
def bearing(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("BEARING_ENDPOINT", server.url)

    def run(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(app, arguments, input=stdin)

    return run


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_of_every_command_has_examples_and_json(bearing: Any, words: list[str]) -> None:
    shown = bearing(*words, "--help")
    assert shown.exit_code == 0
    assert f"bearing {' '.join(words)}" in shown.stdout
    assert "Examples:" in shown.stdout
    assert "--json" in shown.stdout


def test_login_token_from_a_pipe_is_checked_and_kept(
    bearing: Any, server: Any, token: str, clean_environment: Path
) -> None:
    server.on("GET /me", {"username": "acme", "scopes": ["write"]})
    done = bearing("login", "--token-stdin", "--json", stdin=f"{token}\n")
    assert done.exit_code == 0
    assert json.loads(done.stdout) == {"endpoint": server.url, "username": "acme", "scopes": ["write"]}
    assert token not in done.output
    assert stored_tokens(clean_environment) == {server.url: token}
    assert bearing("whoami").exit_code == 0
    assert server.seen[-1].headers["Authorization"] == f"Bearer {token}"


def test_login_refused_token_is_not_kept(
    bearing: Any, server: Any, token: str, clean_environment: Path
) -> None:
    server.on("GET /me", server.problem(401, "token.invalid", "this token is not valid"))
    done = bearing("login", "--token-stdin", stdin=token)
    assert done.exit_code == 4
    assert "this token is not valid" in done.stderr
    assert token not in done.output
    assert stored_tokens(clean_environment) == {}


def test_login_without_a_terminal_says_how_else(bearing: Any) -> None:
    done = bearing("login")
    assert done.exit_code == 1
    assert "--token-stdin" in done.stderr


def test_logout_forgets_the_token(bearing: Any, server: Any, token: str, clean_environment: Path) -> None:
    server.on("GET /me", {"username": "acme", "scopes": []})
    bearing("login", "--token-stdin", stdin=token)
    assert json.loads(bearing("logout", "--json").stdout)["logged_out"]
    assert stored_tokens(clean_environment) == {}
    assert not json.loads(bearing("logout", "--json").stdout)["logged_out"]


@pytest.mark.parametrize(("status", "expected"), [(401, 4), (403, 4), (404, 3), (409, 1), (422, 1), (500, 1)])
def test_exit_code_follows_the_refusal(bearing: Any, server: Any, status: int, expected: int) -> None:
    server.on(
        "GET /vectors/acme/kind/versions/latest", server.problem(status, "some.code", "because of this")
    )
    server.on("GET /vectors/acme/kind/versions", server.problem(status, "some.code", "because of this"))
    done = bearing("show", "acme/kind")
    assert done.exit_code == expected
    assert done.stdout == ""
    assert done.stderr.startswith("error: because of this")
    assert done.stderr.endswith("(some.code)\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["pull"],
        ["nonsense"],
        ["pull", "no-name"],
        ["extract", "acme/pairs", "--model", "m", "--vector", "v", "--tier", "huge"],
        ["extract", "acme/pairs", "--model", "m", "--vector", "v", "--publish", "1.0.0"],
        ["extract", "acme/pairs", "--model", "m", "--vector", "v", "--public"],
        ["yank", "acme/kind", "--reason", "x"],
        ["yank", "acme/kind@1.0.0"],
        ["publish", "acme/kind", "--version", "one", "--license", "MIT"],
        ["search", "--limit", "0"],
    ],
    ids=" ".join,
)
def test_usage_faults_end_with_2_and_ask_nothing(bearing: Any, server: Any, words: list[str]) -> None:
    assert bearing(*words).exit_code == 2
    assert server.seen == []


def test_error_with_json_is_json_on_stdout_and_a_line_on_stderr(bearing: Any, server: Any) -> None:
    server.on("GET /me", server.problem(401, "token.invalid", "no"))
    done = bearing("whoami", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "token.invalid"
    assert done.stderr.startswith("error: no")


def test_debug_shows_the_traceback_and_otherwise_there_is_none(bearing: Any, server: Any) -> None:
    server.on("GET /me", server.problem(401, "token.invalid", "no"))
    assert "Traceback" not in bearing("whoami").output
    assert "Traceback" in bearing("whoami", "--debug").stderr


def test_text_of_others_cannot_steer_the_terminal(bearing: Any, server: Any) -> None:
    server.on("GET /me", server.problem(403, "x\x1b[2J", "go \x1b]0;owned\x07 \u202eaway\nerror: two"))
    done = bearing("whoami")
    assert not {"\x1b", "\x07", "\u202e"} & set(done.output)
    assert done.stderr.count("\n") == 1


def test_search_shows_a_table_or_json(bearing: Any, server: Any) -> None:
    latest = {
        "version": "1.0.0",
        "verdict": "pass",
        "base_model": "bearing/demo",
        "summary": "[red]kinder[/red]",
    }
    item = {"owner": "acme", "name": "kind", "title": "", "latest": latest}
    server.on("GET /vectors", {"items": [item], "next_cursor": None})
    shown = bearing("search", "kind")
    assert "acme/kind  1.0.0" in shown.stdout
    assert "[red]kinder[/red]" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert json.loads(bearing("search", "--json").stdout) == {"items": [item]}


def test_pull_writes_the_file_and_tells_the_digest(bearing: Any, publish: Any, tmp_path: Path) -> None:
    published = publish()
    done = bearing("pull", "acme/kind@1.0.0", "--output", str(tmp_path / "kind.safetensors"), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["digest"] == published.digest
    assert (tmp_path / "kind.safetensors").read_bytes() == published.data


def test_pull_flipped_byte_ends_with_5_and_writes_nothing(
    bearing: Any, publish: Any, reply: Any, tmp_path: Path
) -> None:
    data = publish().data
    publish(sent=reply(data[:-1] + bytes([data[-1] ^ 1])))
    done = bearing("pull", "acme/kind@1.0.0", "--output", str(tmp_path / "kind.safetensors"))
    assert done.exit_code == 5
    assert "client.digest_mismatch" in done.stderr
    assert not list(tmp_path.rglob("*.safetensors"))


def test_pull_yanked_version_warns_on_stderr_only(bearing: Any, publish: Any) -> None:
    publish(state="yanked", warnings=[{"code": "version.yanked", "message": "yanked: wrong sign"}])
    done = bearing("pull", "acme/kind@1.0.0", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["warnings"] == ["yanked: wrong sign"]
    assert done.stderr.startswith("warning: yanked: wrong sign")


def test_publish_tells_what_the_version_is_a_copy_of(bearing: Any, server: Any) -> None:
    said = {"code": "version.near_copy", "message": "acme/kind@1.0.0 is lex/kind@2.0.0 with its sign flipped"}
    published = {"vector": "acme/kind", "version": "1.0.0", "digest": "sha256:1", "warnings": [said]}
    server.on("POST /vectors/acme/kind/publish", published)
    done = bearing("publish", "acme/kind", "--version", "1.0.0", "--license", "MIT")
    assert done.exit_code == 0
    assert f"warning: {said['message']}" in done.stderr


def test_pull_offline_option_uses_the_cache(bearing: Any, publish: Any, server: Any) -> None:
    published = publish()
    assert bearing("pull", "acme/kind@1.0.0").exit_code == 0
    asked = len(server.seen)
    assert bearing("--offline", "pull", published.digest).exit_code == 0
    assert bearing("--offline", "search").exit_code == 1
    assert bearing("--offline", "pull", "acme/other@1.0.0").exit_code == 3
    assert len(server.seen) == asked


def test_verify_file_and_reference(bearing: Any, publish: Any, tmp_path: Path) -> None:
    published = publish()
    file = tmp_path / "kind.safetensors"
    file.write_bytes(published.data)
    for target in (str(file), "acme/kind@1.0.0", published.digest):
        done = bearing("verify", target, "--digest", published.digest, "--json")
        assert (done.exit_code, json.loads(done.stdout)["verified"]) == (0, True)
    assert not json.loads(bearing("verify", str(file), "--json").stdout)["digest_was_promised"]


def test_verify_changed_file_ends_with_5(bearing: Any, make_vector: Any, tmp_path: Path) -> None:
    data = write_vector(make_vector())
    file = tmp_path / "kind.safetensors"
    file.write_bytes(data)
    assert bearing("verify", str(file), "--digest", digest(b"other")).exit_code == 5
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert bearing("verify", str(file)).exit_code == 5
    assert bearing("verify", str(tmp_path / "missing")).exit_code == 2


def test_inspect_shows_the_manifest(bearing: Any, make_vector: Any, tmp_path: Path) -> None:
    file = tmp_path / "kind.safetensors"
    file.write_bytes(write_vector(make_vector()))
    found = json.loads(bearing("inspect", str(file), "--json").stdout)
    assert found["directions"][0]["key"] == "resid_post.2"
    shown = bearing("inspect", str(file)).stdout
    assert "acme/tiny" in shown
    assert shown.count("not measured") == 1  # the doses
    assert bearing("inspect", str(tmp_path)).exit_code == 1


def test_inspect_shows_what_was_measured(bearing: Any, make_vector: Any, tmp_path: Path) -> None:
    measured = replace(
        make_vector(),
        sign="negative",
        window=(-0.3, 0.45),
        doses=((-0.3, 0.51234), (0.0, 0.0), (0.3, 2e-5)),
        set_points={KEY: (1.25, -0.5)},
    )
    file = tmp_path / "kind.safetensors"
    file.write_bytes(write_vector(measured))
    shown = bearing("inspect", str(file)).stdout
    for told in (
        "points to the negative pole",
        "-0.3: 0.512, +0.3: 2e-05 nats",
        "1.25, -0.5",
        "-0.3 to +0.45",
    ):
        assert told in shown


def test_show_says_what_the_file_says(bearing: Any, server: Any, make_vector: Any) -> None:
    said = inspect_vector(
        write_vector(replace(make_vector(), sign="positive", doses=((0.3, 0.5),), set_points={KEY: (-1, 2)}))
    )
    version = {"vector": "acme/kind", "version": "1.0.0", "state": "published", "manifest": said}
    server.on("GET /vectors/acme/kind/versions/1.0.0", version)
    shown = bearing("show", "acme/kind@1.0.0").stdout
    for told in ("points to the positive pole", "resid_post.2 -1, 2", "+0.3: 0.5 nats"):
        assert told in shown


def test_yank_undo_goes_to_unyank(bearing: Any, server: Any) -> None:
    server.on("POST /vectors/acme/kind/versions/1.0.0/yank", {"state": "yanked"})
    server.on("POST /vectors/acme/kind/versions/1.0.0/unyank", {"state": "published"})
    assert "is yanked" in bearing("yank", "acme/kind@1.0.0", "--reason", "wrong sign").stderr
    assert "is published" in bearing("yank", "acme/kind@1.0.0", "--undo").stderr


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_module_runs_like_the_command() -> None:
    assert python("-m", "steering_core.client", "--version").stdout.startswith("bearing ")


def test_client_imports_neither_torch_nor_django() -> None:
    code = (
        "import sys, steering_core.client.cli\n"
        "print([m for m in ('torch', 'transformers', 'django') if m in sys.modules])"
    )
    assert python("-c", code).stdout == "[]\n"


def test_ascii_terminal_gets_replacements_instead_of_an_error(tmp_path: Path, make_vector: Any) -> None:
    file = tmp_path / "kind.safetensors"
    file.write_bytes(write_vector(make_vector(name="größe")))
    done = python(
        "-m", "steering_core.client", "inspect", str(file), PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert done.returncode == 0, done.stderr
    assert "gr??e" in done.stdout
    as_json = python(
        *("-m", "steering_core.client", "inspect", str(file), "--json"),
        PYTHONIOENCODING="ascii",
        PYTHONUTF8="0",
    )
    assert json.loads(as_json.stdout)["model"]["name"] == "größe"


def test_login_at_a_terminal_does_not_show_the_token(
    server: Any, token: str, clean_environment: Path
) -> None:
    server.on("GET /me", {"username": "acme", "scopes": []})
    terminal, side = pty.openpty()
    environment = {**os.environ, "BEARING_ENDPOINT": server.url, "NO_COLOR": "1", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "steering_core.client", "login"],
        stdin=side,
        stdout=side,
        stderr=side,
        env=environment,
        start_new_session=True,
    )
    os.close(side)
    shown = _read_until(terminal, b"token: ")
    os.write(terminal, token.encode() + b"\n")
    shown += _read_until(terminal, b"logged in")
    assert process.wait(timeout=30) == 0
    os.close(terminal)
    assert token.encode() not in shown
    assert b"\x1b[" not in shown
    assert stored_tokens(clean_environment) == {server.url: token}


def _read_until(terminal: int, wanted: bytes) -> bytes:
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 4096)
    return shown
