"""Sends a file in parts to a registry, or straight into its object store, and goes on where it stopped.

What arrived is the registry's to say, so that nothing is kept here: whoever sends the same file again, after
a crash or on another machine, sends the parts that are missing.
"""

import base64
import hashlib
import uuid
from collections.abc import Iterator

from steering_core.client.http import Json, RegistryClient, Request
from steering_core.client.incoming import Progress
from steering_core.errors import ClientError
from steering_core.spec import digest

# Larger files are sent in parts.
IN_PARTS_BYTES = 8 * 1024 * 1024
# How often parts that were damaged on their way, or whose addresses ran out, are sent again.
ROUNDS = 3
_AGAIN = ("upload.digest_mismatch", "upload.parts_missing", "client.store_refused")


def send_file(
    client: RegistryClient, data: bytes, purpose: str, filename: str = "", progress: Progress | None = None
) -> str:
    """The id of a complete upload of these bytes.

    Args:
        purpose: `dataset` or `vector`.
        progress: told how many bytes have arrived, and of how many.
    Raises:
        ClientError: refused, unreachable, or the bytes arrived wrong three times.
    """
    upload = _begun(client, data, purpose, filename)
    path = f"/uploads/{upload['id']}"
    for left in reversed(range(ROUNDS)):
        if upload["state"] == "complete":
            break
        try:
            for arrived in _parts_sent(client, path, upload, data):
                if progress:
                    progress(arrived, len(data))
            upload = dict(client.ask(Request("POST", f"{path}/complete", body={}, repeatable=True)).body)
        except ClientError as error:
            if error.code not in _AGAIN or not left:
                raise
            upload = dict(client.get(path))
    return str(upload["id"])


def _begun(client: RegistryClient, data: bytes, purpose: str, filename: str) -> Json:
    """An open upload of the same file, or a new one."""
    named = digest(data)
    for found in client.get("/uploads", {"limit": "100"})["items"]:
        same = (found["digest"], found["purpose"], found["state"]) == (named, purpose, "pending")
        if same and found["filename"] == filename:
            return dict(client.get(f"/uploads/{found['id']}"))
    body = {"sha256": named, "size_bytes": len(data), "purpose": purpose, "filename": filename}
    key = {"Idempotency-Key": str(uuid.uuid4())}
    return dict(client.ask(Request("POST", "/uploads", body=body, headers=key, repeatable=True)).body)


def _parts_sent(client: RegistryClient, path: str, upload: Json, data: bytes) -> Iterator[int]:
    """Send what is missing or differs, and say after each part how many bytes have arrived."""
    size = int(upload["parts"]["size_bytes"])
    waiting = {int(part["number"]): str(part["url"]) for part in upload["parts"]["missing"]}
    arrived = 0
    for part in upload["parts"]["received"]:
        if _is_ours(str(part["digest"]), _part(data, size, int(part["number"]))):
            arrived += int(part["size_bytes"])
        else:
            waiting[int(part["number"])] = str(part["url"])
    yield arrived
    for number, url in sorted(waiting.items()):
        part = _part(data, size, number)
        _send_part(client, upload, path, number, url, part)
        arrived += len(part)
        yield arrived


def _send_part(client: RegistryClient, upload: Json, path: str, number: int, url: str, part: bytes) -> None:
    if upload["method"] == "s3":
        client.put_elsewhere(url, part)
        return
    hashed = base64.b64encode(hashlib.sha256(part).digest()).decode()
    headers = {"Content-Digest": f"sha-256=:{hashed}:", "Content-Type": "application/octet-stream"}
    client.ask(Request("PUT", f"{path}/parts/{number}", content=part, headers=headers, repeatable=True))


def _part(data: bytes, size: int, number: int) -> bytes:
    return data[(number - 1) * size : number * size]


def _is_ours(named: str, part: bytes) -> bool:
    """Whether a part that arrived is this one, as far as its digest says."""
    kind, _, hexadecimal = named.partition(":")
    if kind not in ("sha256", "md5"):
        return True
    # MD5 is what object stores say of an object; it tells damage from none here, not friend from foe.
    return hashlib.new(kind, part, usedforsecurity=False).hexdigest() == hexadecimal
