"""The environment that the embedded service runs with; docs/operations.md explains each variable."""

import secrets
from pathlib import Path

from registry.embedded.servers import Servers
from registry.embedded.valkey import write_private

ROOT = Path(__file__).resolve().parents[2]


def service_environment(data: Path, servers: Servers, *, port: int = 8000) -> dict[str, str]:
    """Settings for web, worker and sweeper on the embedded servers, without what the caller's shell holds."""
    return {
        "DJANGO_SETTINGS_MODULE": "registry.settings.development",
        "SECRET_KEY": secret_key(data),
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "BEARING_DATA": str(data),
        "BLOB_STORE_PATH": str(data / "blobs"),
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "CSRF_TRUSTED_ORIGINS": f"http://localhost:{port},http://127.0.0.1:{port}",
        "PUBLIC_URL": f"http://localhost:{port}",
    }


def secret_key(data: Path) -> str:
    """The key of this data folder, made once and readable by its owner only."""
    path = data / "secret_key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(50))
    return path.read_text()


def production_environment(data: Path, servers: Servers) -> dict[str, str]:
    """The production settings with made-up values, to check them without a deployment."""
    return {
        **service_environment(data, servers),
        "DJANGO_SETTINGS_MODULE": "registry.settings.production",
        "ALLOWED_HOSTS": "bearing.example",
        "CSRF_TRUSTED_ORIGINS": "https://bearing.example",
        "PUBLIC_URL": "https://bearing.example",
        "S3_BUCKET": "bearing",
        "S3_ENDPOINT_URL": "http://127.0.0.1:1",
        "S3_ACCESS_KEY_ID": "none",
        "S3_SECRET_ACCESS_KEY": "none",
    }
