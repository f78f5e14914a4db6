"""What a registry says a reference leads to: `/resolve`, asked about one reference or a hundred at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from steering_core.client.http import RegistryClient, Request
from steering_core.client.references import Reference, parse_name, parse_version
from steering_core.errors import (
    ClientError,
    DigestMismatchError,
    FormatError,
    GatedError,
    NotFoundError,
    PaidError,
    RemovedError,
)
from steering_core.spec import digest_hex

MOST_AT_ONCE = 100
VECTOR_FILE, CERTIFICATE_FILE, PRESET_FILE = "vector.safetensors", "conformance.json", "preset.json"


@dataclass(frozen=True, slots=True)
class ResolvedFile:
    """A file of a version."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """A version of a vector or a preset, as far as pulling and pinning need it.

    Attributes:
        reference: as it was asked.
        name: `owner/name` as it is now; another than asked after a move.
        digest: of the main file.
        files: empty where the caller may not have them.
        warnings: what the registry says about the version, without what keeps the files back.
        refusal: code and message of what keeps the files back; empty if nothing does.
        vectors: of a preset, its members.
    """

    reference: str
    kind: str
    name: str
    version: str
    digest: str
    model_hash: str
    access: str
    files: tuple[ResolvedFile, ...]
    warnings: tuple[str, ...]
    refusal: tuple[str, str]
    vectors: tuple["Resolved", ...] = ()

    @property
    def conformance(self) -> str:
        """The digest of the certificate; empty where there is none, or it is kept back."""
        return next((file.digest for file in self.files if file.name == CERTIFICATE_FILE), "")

    def check_files(self, endpoint: str) -> None:
        """Refuse a version whose files are kept back from the caller.

        Raises:
            GatedError, PaidError: says where to ask or buy.
            RemovedError: operators removed it.
        """
        if self.files:
            return
        code, message = self.refusal
        message = message or f"{self.reference} has no files that this token may have"
        if code.startswith("removed."):
            raise RemovedError(message, code=code)
        if self.access == "gated":
            raise GatedError(message, request_url=f"{endpoint}/api/v1/vectors/{self.name}/access-request")
        if self.access == "paid":
            raise PaidError(message, purchase_url=f"{endpoint}/{self.name}")
        raise NotFoundError(message, code="client.no_files")


def resolve_one(reference: Reference, client: RegistryClient) -> Resolved:
    """What a reference leads to; one request.

    Raises:
        NotFoundError: nothing that this token may see, with the registry's reason.
        DigestMismatchError: the answer is about another version.
        ClientError: refused, unreachable, or an answer that lacks a part.
    """
    return _checked(client.get("/resolve", {"reference": str(reference)}), reference)


def resolve_many(references: Sequence[Reference], client: RegistryClient) -> list[Resolved | None]:
    """What each leads to, None for nothing that this token may see; one request for each hundred.

    Raises:
        DigestMismatchError: an answer is about another version.
        ClientError: refused, unreachable, or an answer that lacks a part.
    """
    found: list[Resolved | None] = []
    for start in range(0, len(references), MOST_AT_ONCE):
        asked = references[start : start + MOST_AT_ONCE]
        body = {"references": [str(reference) for reference in asked]}
        answer = client.ask(Request("POST", "/resolve", body=body, repeatable=True)).body
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != len(asked):
            raise _lacking(f"{len(asked)} references")
        found += [item and _checked(item, reference) for item, reference in zip(items, asked, strict=True)]
    return found


def _checked(item: Any, reference: Reference) -> Resolved:
    """The object, if it is whole and about what was asked."""
    try:
        found = _read(item)
    except (KeyError, TypeError, ValueError, AttributeError, FormatError, ClientError) as error:
        raise _lacking(str(reference)) from error
    other = reference.digest not in (None, found.digest) or (
        not reference.is_moving and reference.digest is None and reference.selector != found.version
    )
    if other or found.kind != reference.kind:
        raise DigestMismatchError(
            f"asked about {reference}, the registry answered about the {found.kind} {found.digest} "
            f"({found.version})"
        )
    return found


def _read(item: Any) -> Resolved:
    files = tuple(
        ResolvedFile(str(file["name"]), _digest(file["digest"]), int(file["size_bytes"]))
        for file in item["files"]
    )
    said = [(str(warning["code"]), str(warning["message"])) for warning in item["warnings"]]
    keeps_back = ("access.", "removed.")
    return Resolved(
        reference=str(item["reference"]),
        kind=str(item["kind"]),
        name="/".join(parse_name(f"{item['owner']}/{item['name']}")),
        version=parse_version(str(item["version"])),
        digest=_digest(item["digest"]),
        model_hash=_digest(item["base_model"]["model_hash"]),
        access=str(item["access"]),
        files=files,
        warnings=tuple(message for code, message in said if not code.startswith(keeps_back)),
        refusal=next((one for one in said if one[0].startswith(keeps_back)), ("", "")),
        vectors=tuple(_read(one) for one in item.get("vectors") or ()),
    )


def _digest(text: Any) -> str:
    digest_hex(str(text))
    return str(text)


def _lacking(what: str) -> ClientError:
    return ClientError(
        f"the registry's answer about {what} lacks a digest, a version or a file; "
        "its API may be of another version",
        code="client.bad_answer",
    )
