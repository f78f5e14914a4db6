"""Blobs in an S3 bucket, written once with `If-None-Match: *` and a SHA-256 checksum header."""

import base64
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError

from registry.settings.env import S3Config
from registry.storage.blobs import BlobMissingError, BlobStoreError, Shown, blob_key


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
        self.client = self._client(config.endpoint_url, settings)
        # Addresses are signed for the host in them, so those for users take the host that users reach.
        self.outside = (
            self._client(config.public_endpoint_url, settings) if config.public_endpoint_url else self.client
        )

    def _client(self, endpoint_url: str | None, settings: Config) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=self.config.region,
            aws_access_key_id=self.config.access_key_id,
            aws_secret_access_key=self.config.secret_access_key,
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

    def link(self, sha256: str, shown: Shown, *, seconds: int) -> str | None:
        return self._signed(self.outside, sha256, shown, seconds)

    def inner_path(self, sha256: str, shown: Shown, *, seconds: int) -> str:
        address = urlsplit(self._signed(self.client, sha256, shown, seconds))
        return f"/_s3{address.path}?{address.query}"

    def _signed(self, client: Any, sha256: str, shown: Shown, seconds: int) -> str:
        """A GET of one key with these answer headers; nothing is sent."""
        asked = {
            "Bucket": self.bucket,
            "Key": blob_key(sha256),
            "ResponseContentType": shown.media_type,
            "ResponseContentDisposition": shown.disposition,
            "ResponseCacheControl": shown.caching,
        }
        return str(client.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_missing(error: ClientError) -> bool:
    """No such key. A HEAD has no body, so there the status is all that is known."""
    return _status(error) == 404 and error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404")


def _store_error(verb: str, error: Exception) -> BlobStoreError:
    return BlobStoreError(f"S3 {verb} failed: {error}")
