"""The deployment's files: valid, and closed where they can be."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.compose_reader import ROOT, SECRETS, resolve

ONE_SHOT = {"migrate", "s3-folders"}
BIN = Path(sys.executable).parent


def test_compose_file_is_valid() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_dockerfile_passes_hadolint() -> None:
    done = subprocess.run([BIN / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_has_every_service_that_production_needs(compose: dict[str, Any]) -> None:
    expected = {"nginx", "web", "worker-cpu", "worker-gpu", "worker-playground", "sweeper", "migrate"}
    expected |= {"postgres", "valkey", "s3"}
    assert expected <= compose["services"].keys()
    assert compose["services"]["worker-gpu"]["profiles"] == ["gpu"]


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_compose_missing_secret_stops_with_its_name(compose_source: dict[str, Any], name: str) -> None:
    values = {key: value for key, value in SECRETS.items() if key != name}
    with pytest.raises(KeyError, match=name):
        resolve(compose_source, values)


def test_compose_services_are_read_only_limited_and_without_capabilities(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory"} <= limits.keys(), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_compose_services_do_not_run_as_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        # nginx-unprivileged has a user of its own; s3-folders only hands a folder to its owner.
        if name not in {"nginx", "s3-folders"}:
            assert int(service["user"].partition(":")[0]) >= 999, name
    assert "unprivileged" in compose["services"]["nginx"]["image"]


def test_compose_long_running_services_have_health_checks(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert ("healthcheck" in service) is (name not in ONE_SHOT), name


def test_compose_publishes_ports_of_nginx_only(compose: dict[str, Any]) -> None:
    published = {name for name, service in compose["services"].items() if service.get("ports")}
    assert published == {"nginx"}


def test_images_are_pinned_to_a_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert tag not in {"", "latest"}, name


def test_nginx_configuration_is_well_formed(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    nginx = shutil.which("nginx")
    if nginx is not None:
        check_with_nginx(nginx, text, tmp_path)
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    assert all(line.endswith(("{", "}", ";")) for line in lines if line)
    assert text.count("{") == text.count("}")
    assert "proxy_pass http://web;" in text
    assert "upstream web" in text


def check_with_nginx(nginx: str, text: str, folder: Path) -> None:
    """`nginx -t`, with the upstream's and the certificate's addresses changed for this machine."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = text.replace("web:8000", "127.0.0.1:8000").replace("http://s3:", "http://127.0.0.1:")
    text = text.replace("/tmp/", f"{folder}/")
    text = text.replace("/etc/nginx/tls/certificate.pem", str(certificate)).replace(
        "/etc/nginx/tls/key.pem", str(key)
    )
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    if "nginx/1.22" in version:
        # Debian 12's nginx is older than the `http2` directive.
        text = text.replace("http2 on;", "")
    (folder / "nginx.conf").write_text(text)
    done = subprocess.run([nginx, "-t", "-c", folder / "nginx.conf"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
