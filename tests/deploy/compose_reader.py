"""docker-compose.yml as Compose would read it: anchors and variables resolved, with made-up secrets."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "SECRET_KEY": "x9" * 40,
    "POSTGRES_PASSWORD": "database-password",
    "VALKEY_PASSWORD": "queue-password",
    "ALLOWED_HOSTS": "bearing.example",
    "PUBLIC_URL": "https://bearing.example",
    "S3_ACCESS_KEY_ID": "access",
    "S3_SECRET_ACCESS_KEY": "secret",
    "TLS_CERTIFICATE": "/tls/certificate.pem",
    "TLS_KEY": "/tls/key.pem",
}
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


def interpolate(text: str, values: dict[str, str]) -> str:
    """Compose's own rules for `$$`, `${NAME}`, `${NAME:-default}` and `${NAME:?message}`."""

    def replace(match: re.Match[str]) -> str:
        name, operator, rest = match.groups()
        if name is None:
            return "$"
        if values.get(name):
            return values[name]
        if operator == "?":
            raise KeyError(name)
        return rest or ""

    return VARIABLE.sub(replace, text)


def resolve(node: Any, values: dict[str, str]) -> Any:
    if isinstance(node, str):
        return interpolate(node, values)
    if isinstance(node, list):
        return [resolve(item, values) for item in node]
    if isinstance(node, dict):
        return {key: resolve(value, values) for key, value in node.items()}
    return node
