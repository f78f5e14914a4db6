"""A registry of many synthetic vectors on embedded servers, for benchmarks that search or open its pages."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from registry.embedded.servers import embedded_servers

# A quarter of a machine with 12 GB, as PostgreSQL's handbook advises; its default is 128 MB.
SHARED_BUFFERS = "3GB"


@contextmanager
def filled_registry(data: Path | None, vectors: int) -> Iterator[tuple[Path, dict[str, str]]]:
    """The folder and the environment of the service, with so many vectors in it.

    Args:
        data: filled once and kept, migrated each time; None for a folder that is deleted afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="bench-filled-") as temporary:
        folder = data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with _service(folder) as environment:
            run(environment, "manage.py", "migrate", "--verbosity", "0")
            mark = folder / f"filled-{vectors}"
            if not mark.exists():
                run(environment, "-m", "benchmarks.search_fill", str(vectors))
                mark.touch()
            with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
                connection.execute(f"ALTER SYSTEM SET shared_buffers = '{SHARED_BUFFERS}'")
        with _service(folder) as environment:  # started anew, for the setting
            yield folder, environment


@contextmanager
def _service(folder: Path) -> Iterator[dict[str, str]]:
    with embedded_servers(folder, persistent=True) as servers:
        yield os.environ | {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "BLOB_STORE_PATH": str(folder / "blobs"),
            "SECRET_KEY": "only-for-benchmarks",
            "DJANGO_SETTINGS_MODULE": "registry.settings.test",
        }


def run(environment: Mapping[str, str], *command: str) -> str:
    """What a Python command of ours prints; it must end well."""
    done = subprocess.run(
        [sys.executable, *command], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout
