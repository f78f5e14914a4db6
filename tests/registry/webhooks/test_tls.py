"""TLS to a checked address: the certificate has to be that of the name in the URL, wherever that leads."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from registry.webhooks import sending, targets
from registry.webhooks.sending import Message, post
from tests.receivers import running_receiver


def certificate(name: str, folder: Path) -> Path:
    """A self-signed certificate of a host and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{name}.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return file


@pytest.mark.parametrize(("host", "is_delivered"), [("hooks.example", True), ("other.example", False)])
def test_certificate_is_held_to_the_name_in_the_url(
    host: str, is_delivered: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    file = certificate("hooks.example", tmp_path)
    trusting = ssl.create_default_context(cafile=str(file))
    monkeypatch.setattr(sending, "_tls", lambda: trusting)
    monkeypatch.setattr(targets, "_looked_up", lambda *_: ("127.0.0.1",))
    with running_receiver(certificate=file) as receiver:
        port = receiver.url.split("/")[2].rpartition(":")[2]
        outcome = post(Message(f"https://{host}:{port}/", {}, b"{}"))

    assert outcome.is_delivered is is_delivered
    assert len(receiver.got) == is_delivered
    if not is_delivered:
        assert outcome.error == "its TLS certificate is not valid for this host"
