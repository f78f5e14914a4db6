"""The stock client of the Hugging Face Hub against a running server: bytes from a folder, and from S3.

`make test-hub` asks the whole service as it is deployed, with an older client too.
"""

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from django.conf import LazySettings

from registry.serving.downloads import downloads_flush
from registry.serving.models import DailyDownloads
from registry.settings.env import S3Config
from registry.storage.chosen import blob_store
from tests.hub.clients import run_checks
from tests.hub.shelf import make_shelf


def test_stock_client_works(live_server: Any, tmp_path: Path) -> None:
    there = make_shelf()
    said = run_checks(sys.executable, live_server.url, tmp_path, there)
    assert said["client"].startswith("2.")
    downloads_flush()
    counted = DailyDownloads.objects.filter(version=there["id"])
    assert [row.count for row in counted] == [1], "one caller, however often it asked"


def test_stock_client_works_where_s3_sends_the_bytes(live_server: Any, in_s3: str, tmp_path: Path) -> None:
    there = make_shelf()
    address = f"{live_server.url}/acme/secret/resolve/main/vector.safetensors"
    asked = httpx.head(address, headers={"Authorization": f"Bearer {there['token']}"})
    assert asked.status_code == 302
    assert asked.headers["Cache-Control"] == "private, no-store"
    assert urlsplit(asked.headers["Location"]).netloc == urlsplit(in_s3).netloc
    run_checks(sys.executable, live_server.url, tmp_path, there)


@pytest.fixture
def in_s3(settings: LazySettings, s3_server: str) -> Iterator[str]:
    """The service keeps its bytes in a bucket; gives the server's address."""
    bucket = f"hub-{secrets.token_hex(4)}"
    access = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1", **access).create_bucket(Bucket=bucket)
    settings.S3 = S3Config(bucket, s3_server, "us-east-1", "any", "any")
    settings.SERVE_FILES = "redirect"
    blob_store.cache_clear()
    yield s3_server
    blob_store.cache_clear()
