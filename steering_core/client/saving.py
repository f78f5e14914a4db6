"""A large file of the registry's, streamed to where the user wants it and verified before it is kept."""

import secrets
from pathlib import Path

from steering_core.client.http import RegistryClient
from steering_core.client.incoming import Incoming, Progress, download
from steering_core.errors import ClientError


def save(
    client: RegistryClient,
    path: str,
    named: str,
    size_bytes: int,
    file: Path,
    *,
    progress: Progress | None = None,
) -> None:
    """Write what stands at a path below /api/v1 to `file`; a download that breaks off goes on.

    Raises:
        DigestMismatchError: the bytes do not have the promised digest or size; nothing is kept.
        ClientError: refused or unreachable, or the file cannot be written.
    """
    partial = file.with_name(f".{file.name}.{secrets.token_hex(8)}.part")

    try:
        with partial.open("xb") as stream:
            into = Incoming(stream, named, size_bytes)
            download(client, path, into, progress=progress)
            into.check()
        partial.replace(file)
    except OSError as error:
        raise ClientError(f"{file} cannot be written: {error.strerror}", code="client.file") from error
    finally:
        partial.unlink(missing_ok=True)
