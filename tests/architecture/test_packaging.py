"""The client installs by itself: what it declares is light, pinned by the service, and all that it loads."""

import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOT_FOR_CLIENTS = ("django", "rest_framework", "celery", "boto3", "psycopg", "torch", "transformers", "gguf")


def requirements(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_what_clients_need_is_what_the_service_pins() -> None:
    pins = {one.name: Version(next(iter(one.specifier)).version) for one in requirements("requirements.txt")}
    declared = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    extras = requirements("requirements-torch.txt") + requirements("requirements-engines.txt")

    for one in declared + extras:
        assert one.specifier.contains(pins[one.name]), f"pinned outside {one}"
    assert not {one.name.lower() for one in declared} & {"django", "torch", "transformers", "celery"}


def test_extras_are_files_that_are_there() -> None:
    extras = PROJECT["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    assert set(extras) == {"torch", "engines", "server"}
    for extra in extras.values():
        assert all(requirements(name) for name in extra["file"])


def test_library_and_command_load_with_the_declared_packages_only() -> None:
    script = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_FOR_CLIENTS!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import steering_core.client
from steering_core.client.cli import app
from typer.testing import CliRunner
done = CliRunner().invoke(app, ["inspect", "pyproject.toml"])
assert done.exit_code == 1 and "pip install '.[engines]' (client.not_installed)" in done.stderr, done.output
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
