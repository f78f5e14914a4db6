"""Vectors of a registry, as methods: find, pull, publish, withdraw. `hub` puts all nouns together."""

from steering_core.client import pulling
from steering_core.client.connection import Connection, given, plain_id
from steering_core.client.http import Json, Request
from steering_core.client.pulling import Pulled
from steering_core.client.references import (
    LATEST,
    Reference,
    ReferenceSyntaxError,
    parse_name,
    parse_reference,
    parse_version,
)
from steering_core.errors import NotFoundError
from steering_core.vector import SteeringVector


class Vectors(Connection):
    """What can be done with vectors."""

    def pull(self, reference: str) -> SteeringVector:
        """A verified vector, from the cache or the registry.

        Raises:
            NotFoundError: no such version for this token.
            DigestMismatchError: the bytes are not what was promised; nothing was kept.
            FormatError: the file is no Bearing vector.
        """
        return self.pull_file(reference).vector

    def pull_file(self, reference: str) -> Pulled:
        """As `pull`, with the digest, the version and the path of the cached file."""
        return pulling.pull(parse_reference(reference), self.source)

    def conformance(self, reference: str) -> bytes:
        """The verified certificate of a version, from the cache or the registry: what an engine must do with
        the vector. `steering_core.formats.conformance.read_certificate` reads it.

        Raises:
            NotFoundError: no such version for this token, or it has no certificate.
            DigestMismatchError: the bytes are not what was promised; nothing was kept.
        """
        return pulling.pull_conformance(parse_reference(reference), self.source)

    def search(
        self,
        query: str = "",
        *,
        owner: str = "",
        base_model: str = "",
        verdict: str = "",
        grade: str = "",
        mine: bool = False,
        limit: int = 50,
    ) -> list[Json]:
        """Released vectors, the most relevant first; `mine` gives the token owner's, drafts and all."""
        wanted = {"q": query, "owner": owner, "base_model": base_model, "verdict": verdict, "grade": grade}
        return self._pages("/vectors", wanted | {"mine": "1" if mine else ""}, limit)

    def show(self, reference: str) -> Json:
        """A version with its report. A name without a release gives its owner the newest extracted draft.

        Raises:
            NotFoundError: no such version for this token.
        """
        asked = parse_reference(reference)
        if not asked.owner:
            raise ReferenceSyntaxError(f"{asked} names a file only; give owner/name or owner/name@{asked}")
        try:
            return dict(self.client.get(f"{_vector_path(asked)}/versions/{asked.selector}"))
        except NotFoundError:
            draft = self._newest_draft(asked) if asked.is_latest else None
            if draft is None:
                raise
            return draft

    def diff(self, before: str, after: str) -> Json:
        """What changed from one version to another, of the same vector or of another one."""
        one, other = parse_reference(before), parse_reference(after)
        if not (one.owner and other.owner):
            raise ReferenceSyntaxError(f"{before} or {after} is a digest alone; give owner/name@{LATEST}")
        same = (one.owner, one.name) == (other.owner, other.name)
        named = other.selector if same else f"{other.owner}~{other.name}@{other.selector}"
        return dict(self.client.get(f"{_vector_path(one)}/versions/{one.selector}/diff/{named}"))

    def version(self, version_id: str) -> Json:
        """A version by its row id; the token owner's drafts too."""
        return dict(self.client.get(f"/versions/{plain_id(version_id)}"))

    def versions(self, name: str, *, limit: int = 100) -> list[Json]:
        """The versions of a vector, highest first; the owner's drafts come before them."""
        owner, vector = parse_name(name)
        return self._pages(f"/vectors/{owner}/{vector}/versions", {}, limit)

    def publish(
        self, name: str, *, version: str, license: str, visibility: str = "", draft_id: str = ""
    ) -> Json:
        """Release an extracted draft for good: the newest, unless `draft_id` says which."""
        owner, vector = parse_name(name)
        body = {"version": parse_version(version), "license": license}
        body |= given({"visibility": visibility, "draft_id": draft_id})
        return self._post(f"/vectors/{owner}/{vector}/publish", body)

    def yank(self, name: str, *, version: str, reason: str) -> Json:
        """Warn everybody off a released version; it stays downloadable by exact version and digest."""
        owner, vector = parse_name(name)
        path = f"/vectors/{owner}/{vector}/versions/{parse_version(version)}/yank"
        return self._post(path, {"reason": reason})

    def deprecate(self, reference: str, *, reason: str, replacement: str = "") -> Json:
        """Advise against a vector, or against one version; it resolves as before, with a warning."""
        body = given({"reason": reason, "replacement": replacement})
        return self._post(f"{_target(reference)}/deprecate", body)

    def undeprecate(self, reference: str) -> Json:
        """Take a deprecation back."""
        return self._post(f"{_target(reference)}/undeprecate", {})

    def aliases(self, name: str) -> list[Json]:
        """The aliases of a vector, with the version that each means now."""
        owner, vector = parse_name(name)
        return self._pages(f"/vectors/{owner}/{vector}/aliases", {}, 1000)

    def alias_set(self, name: str, alias: str, *, version: str, protect: bool | None = None) -> Json:
        """Let an alias mean a version; a new one is made. None leaves it as protected as it is."""
        body: Json = {"version": parse_version(version)}
        if protect is not None:
            body["is_protected"] = protect
        request = Request("PUT", _alias(name, alias), body=body, repeatable=True)
        return dict(self.client.ask(request).body)

    def alias_delete(self, name: str, alias: str) -> None:
        """Delete an alias; its history stays."""
        self.client.fetch(Request("DELETE", _alias(name, alias)), lambda _: None, elsewhere=False)

    def alias_history(self, name: str, alias: str, *, limit: int = 100) -> list[Json]:
        """What an alias meant, newest first."""
        return self._pages(f"{_alias(name, alias)}/history", {}, limit)

    def unyank(self, name: str, *, version: str) -> Json:
        """Take a yank back."""
        owner, vector = parse_name(name)
        return self._post(f"/vectors/{owner}/{vector}/versions/{parse_version(version)}/unyank", {})

    def _newest_draft(self, asked: Reference) -> Json | None:
        try:
            rows = self.versions(f"{asked.owner}/{asked.name}")
        except NotFoundError:
            return None
        best = sorted(rows, key=lambda row: row.get("state") != "extracted")
        return self.version(str(best[0]["id"])) if best else None


def _alias(name: str, alias: str) -> str:
    asked = parse_reference(f"{name}@{alias}")
    if not asked.is_moving or asked.is_latest:
        raise ReferenceSyntaxError(f"{alias} is no alias; expected a name such as stable")
    return f"{_vector_path(asked)}/aliases/{alias}"


def _target(reference: str) -> str:
    """The path of a vector for a name alone, else of the exact version."""
    asked = parse_reference(reference)
    if not asked.owner or (asked.is_moving and not asked.is_latest) or asked.digest:
        raise ReferenceSyntaxError(f"{reference} is no version; give owner/name or owner/name@1.0.0")
    return _vector_path(asked) + ("" if asked.is_latest else f"/versions/{asked.selector}")


def _vector_path(reference: Reference) -> str:
    return f"/vectors/{reference.owner}/{reference.name}"
