"""Parts of uploads in an S3 bucket: one object each under `staging/`, which a lifecycle rule may expire too.

Not an S3 multipart upload: once that is completed, no part of it can be sent again, and its parts cannot be
read back before.
"""

import base64
import hashlib
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from registry.storage.blobs import BlobMissingError, BlobStoreError
from registry.storage.s3 import S3BlobStore
from registry.storage.staging import StagedPart, part_key


class S3Staging:
    """A `Staging` in the bucket of a blob store."""

    def __init__(self, store: S3BlobStore) -> None:
        self.store = store
        self.bucket = store.bucket

    def put(self, upload_id: str, number: int, data: bytes) -> None:
        self._ask(
            "put_object",
            Key=part_key(upload_id, number),
            Body=data,
            ChecksumSHA256=base64.b64encode(hashlib.sha256(data).digest()).decode(),
        )

    def parts(self, upload_id: str) -> dict[int, StagedPart]:
        found = {}
        for item in self._listed(upload_id):
            number = item["Key"].rpartition("/")[2]
            if number.isdigit():
                found[int(number)] = StagedPart(int(number), item["Size"], _digest(item.get("ETag", "")))
        return dict(sorted(found.items()))

    def read(self, upload_id: str, number: int) -> bytes:
        answer = self._ask("get_object", Key=part_key(upload_id, number))
        try:
            data: bytes = answer["Body"].read()
        except BotoCoreError as error:
            raise BlobStoreError(f"S3 get_object failed: {error}") from error
        return data

    def clear(self, upload_id: str) -> None:
        # One by one: what deletes many at once needs a checksum that several S3-compatible servers refuse.
        for item in self._listed(upload_id):
            self._ask("delete_object", Key=item["Key"])

    def link(self, upload_id: str, number: int, size_bytes: int, *, seconds: int) -> str | None:
        # The size is signed, so that nobody fills the bucket through it.
        asked = {"Bucket": self.bucket, "Key": part_key(upload_id, number), "ContentLength": size_bytes}
        return str(self.store.outside.generate_presigned_url("put_object", Params=asked, ExpiresIn=seconds))

    def _listed(self, upload_id: str) -> list[dict[str, Any]]:
        """All objects of an upload: fewer than the 1000 that one answer holds."""
        prefix = part_key(upload_id, 0).rpartition("/")[0] + "/"
        return list(self._ask("list_objects_v2", Prefix=prefix).get("Contents", []))

    def _ask(self, verb: str, **parameters: Any) -> Any:
        try:
            return getattr(self.store.client, verb)(Bucket=self.bucket, **parameters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                raise BlobMissingError("this part of the upload is not there") from error
            raise BlobStoreError(f"S3 {verb} failed: {error}") from error
        except BotoCoreError as error:
            raise BlobStoreError(f"S3 {verb} failed: {error}") from error


def _digest(etag: str) -> str:
    """The ETag of an object that was put whole is its MD5, unless the bucket encrypts with a key."""
    bare = etag.strip('"')
    return f"md5:{bare}" if len(bare) == 32 else ""
