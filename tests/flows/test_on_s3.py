"""The same service with its bytes in an S3 bucket instead of a folder."""

import secrets
from pathlib import Path

import boto3
import pytest

from registry.embedded.stack import running_stack
from registry.embedded.valkey import free_port
from steering_core.client import Hub
from steering_core.demo import demo_pairs
from steering_core.pairs.jsonl import write_jsonl
from steering_core.spec import digest
from tests.flows.account import sign_up_on


@pytest.mark.timeout(240)
def test_the_main_job_on_s3_keeps_every_byte_in_the_bucket(s3_server: str, tmp_path: Path) -> None:
    bucket = f"bearing-{secrets.token_hex(4)}"
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
    )
    s3.create_bucket(Bucket=bucket)
    settings = {
        "S3_BUCKET": bucket,
        "S3_ENDPOINT_URL": s3_server,
        "S3_ACCESS_KEY_ID": "any",
        "S3_SECRET_ACCESS_KEY": "any",
    }
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_bytes(write_jsonl(demo_pairs("formality", 48, seed=1)))

    with (
        running_stack(tmp_path / "data", port=free_port(), persistent=False, settings=settings) as stack,
        sign_up_on(stack.url, tmp_path / "home") as user,
    ):
        pushed = user.bearing("dataset", "push", str(pairs), "--name", "pairs")
        user.bearing(
            *("extract", f"{user.name}/pairs@1", "--model", "bearing/demo", "--vector", "formality"),
            *("--tier", "smoke", "--publish", "1.0.0", "--license", "MIT"),
        )
        pulled = user.bearing("pull", f"{user.name}/formality@1.0.0")
        with Hub(user.url, user.token, user.home) as hub:
            certificate = hub.conformance(f"{user.name}/formality@1.0.0")

    stored = {item["Key"].rpartition("/")[2] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    digests = (pushed["digest"], pulled["digest"], digest(certificate))
    assert {named.removeprefix("sha256:") for named in digests} <= stored
    assert not list((tmp_path / "data").glob("blobs/**/*")), "nothing may be left in a folder"
