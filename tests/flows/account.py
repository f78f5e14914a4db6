"""A person at a running service: signed up on the web pages, with a token, a browser and a command line."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from registry.embedded.demo import element_text, submit

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Account:
    """Who somebody is at the service at `url`, and where their command line keeps its cache."""

    name: str
    token: str
    browser: httpx.Client
    home: Path
    url: str

    def bearing(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """Run `bearing … --json`; its answer, after a check of the exit status."""
        done = subprocess.run(
            [sys.executable, "-m", "steering_core.client", *arguments, "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith("BEARING_")},
                "BEARING_ENDPOINT": self.url,
                "BEARING_TOKEN": self.token,
                "BEARING_HOME": str(self.home),
                "OMP_NUM_THREADS": "1",
            },
        )
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return dict(json.loads(done.stdout)) if done.stdout.strip() else {}

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET under /api/v1 with the token."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return httpx.get(f"{self.url}/api/v1{path}", headers=headers, timeout=30, **options)


@contextmanager
def sign_up_on(url: str, home: Path) -> Iterator[Account]:
    """Makes an account and a token on the web pages, as a person does."""
    name, password = f"user-{secrets.token_hex(3)}", secrets.token_urlsafe(12)
    with httpx.Client(base_url=url, follow_redirects=True, timeout=30, trust_env=False) as browser:
        secret = {"password1": password, "password2": password}
        submit(browser, "/accounts/signup/", {"username": name, "email": f"{name}@example.org", **secret})
        page = submit(browser, "/settings/tokens/", {"name": "flow", "scope": "write"})
        yield Account(name, element_text(page, "new-token"), browser, home, url)
