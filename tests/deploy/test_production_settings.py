"""What the production settings promise beyond `check --deploy`, read in a process of their own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.deploy.compose_reader import ROOT

SCRIPT = (
    "import json\n"
    "from registry.settings import production as s\n"
    "print(json.dumps({k: v for k, v in vars(s).items() if k.isupper()}, default=str))\n"
)
ENVIRONMENT = {
    "SECRET_KEY": "k" * 60,
    "DATABASE_URL": "postgresql://bearing@127.0.0.1:1/bearing",
    "REDIS_URL": "redis://127.0.0.1:1",
    "ALLOWED_HOSTS": "bearing.example, www.bearing.example",
    "PUBLIC_URL": "https://bearing.example/",
    "DEBUG": "1",
}


def production(**changes: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **ENVIRONMENT, **changes},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_production_ignores_debug_and_guards_cookies() -> None:
    found = production()
    assert found["DEBUG"] is False
    for name in ("SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_SECURE"):
        assert found[name] is True, name


def test_production_believes_one_proxy_everywhere() -> None:
    found = production()
    assert found["REST_FRAMEWORK"]["NUM_PROXIES"] == found["ALLAUTH_TRUSTED_PROXY_COUNT"] == 1


def test_production_with_a_port_that_is_none_names_it() -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        production(EMAIL_PORT="65536")
    assert "EMAIL_PORT is '65536'; expected a port" in caught.value.stderr


@pytest.mark.parametrize(("host", "backend"), [("", "dummy"), ("mail.example", "smtp")])
def test_production_mail_goes_to_a_server_or_nowhere(host: str, backend: str) -> None:
    found = production(EMAIL_HOST=host)
    assert found["EMAIL_BACKEND"] == f"django.core.mail.backends.{backend}.EmailBackend"
    assert found["DEFAULT_FROM_EMAIL"] == "bearing@bearing.example"
