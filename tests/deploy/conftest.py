"""The compose file, once as it stands and once with made-up secrets filled in."""

from typing import Any

import pytest
import yaml

from tests.deploy.compose_reader import ROOT, SECRETS, resolve


@pytest.fixture(scope="session")
def compose_source() -> dict[str, Any]:
    """The file with its anchors merged, variables as they stand."""
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))


@pytest.fixture(scope="session")
def compose(compose_source: dict[str, Any]) -> dict[str, Any]:
    """The file with its variables filled in."""
    return dict(resolve(compose_source, SECRETS))
