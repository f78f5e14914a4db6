"""Blobs in an S3 bucket, written once with `If-None-Match: *` and a SHA-256 checksum header."""

import base64
from typing import Any

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from registry.settings.env import S3Config
from registry.storage.blobs import BlobMissingError, BlobStoreError, blob_key


class S3BlobStore:
    """A `BlobStore` in a bucket. Works on any server that honours conditional writes."""

    def __init__(self, config: S3Config) -> None:
        self.config = config
        self.bucket = config.bucket
        # Newer boto3 adds CRC32 to every request, which several S3-compatible servers refuse.
        settings = Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # Few: a web request waits for them, and a run is tried again as a whole.
            retries={"mode": "standard", "max_attempts": 3},
            connect_timeout=5,
            read_timeout=30,
        )
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=config.endpoint_url,
            region_name=config.region,
            aws_access_key_id=config.access_key_id,
            aws_secret_access_key=config.secret_access_key,
            config=settings,
        )

    def put(self, sha256: str, data: bytes, media_type: str) -> bool:
        try:
            self.client.put_object(
                Bucket=self.bucket,
                Key=blob_key(sha256),
                Body=data,
                ContentType=media_type,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
            )
        except ClientError as error:
            # 412: the name is taken. 409: another writer is at it right now; the read-back decides.
            if _status(error) in (412, 409):
                return False
            raise _store_error("put", error) from error
        except BotoCoreError as error:
            raise _store_error("put", error) from error
        return True

    def get(self, sha256: str) -> bytes:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=blob_key(sha256))
            data: bytes = answer["Body"].read()
        except ClientError as error:
            if _is_missing(error):
                raise BlobMissingError(f"blob {sha256} is not in the store") from error
            raise _store_error("get", error) from error
        except BotoCoreError as error:
            raise _store_error("get", error) from error
        return data

    def exists(self, sha256: str) -> bool:
        try:
            self.client.head_object(Bucket=self.bucket, Key=blob_key(sha256))
        except ClientError as error:
            if _is_missing(error):
                return False
            raise _store_error("head", error) from error
        except BotoCoreError as error:
            raise _store_error("head", error) from error
        return True


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_missing(error: ClientError) -> bool:
    """No such key. A HEAD has no body, so there the status is all that is known."""
    return _status(error) == 404 and error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404")


def _store_error(verb: str, error: Exception) -> BlobStoreError:
    return BlobStoreError(f"S3 {verb} failed: {error}")
