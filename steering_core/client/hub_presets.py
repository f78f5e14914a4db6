"""Presets and locks of a registry, as methods. `hub` puts all nouns together."""

from collections.abc import Sequence
from dataclasses import dataclass

from steering_core.client import locking, presets
from steering_core.client.connection import Connection, given
from steering_core.client.http import Json
from steering_core.client.lockfile import Lock, LockEntry
from steering_core.client.presets import PulledPreset
from steering_core.client.references import (
    Reference,
    ReferenceSyntaxError,
    parse_any,
    parse_name,
    parse_preset,
    parse_version,
)
from steering_core.client.resolved import Resolved


@dataclass(frozen=True, slots=True)
class Member:
    """A vector of a new mix; without a label it is the vector's title."""

    reference: str
    strength: float
    label: str = ""


class Presets(Connection):
    """What can be done with presets and locks."""

    def pull_preset(self, reference: str) -> PulledPreset:
        """A verified preset with its vectors, from the cache or the registry; `preset:` may be left out.

        Raises:
            NotFoundError: no such version for this token.
            DigestMismatchError: the bytes are not what was promised; nothing was kept.
            FormatError: a file is no preset, or no vector.
        """
        return presets.pull_preset(parse_preset(reference), self.source)

    def preset_search(
        self, query: str = "", *, owner: str = "", base_model: str = "", mine: bool = False, limit: int = 50
    ) -> list[Json]:
        """Published presets, newest first; `mine` gives the token owner's, unpublished ones too."""
        wanted = {"q": query, "owner": owner, "base_model": base_model, "mine": "1" if mine else ""}
        return self._pages("/presets", wanted, limit)

    def preset_show(self, reference: str) -> Json:
        """A version of a preset with its members and what was measured of the mix."""
        return dict(self.client.get(_path(parse_preset(reference))))

    def preset_uses(self, reference: str, *, engine: str = "") -> list[Json]:
        """What engines are told to apply a version, or why they cannot."""
        path = f"{_path(parse_preset(reference))}/uses"
        return list(self.client.get(path, given({"engine": engine}))["items"])

    def preset_create(
        self, name: str, members: Sequence[Member], *, title: str = "", description: str = "", mode: str = ""
    ) -> Json:
        """Put a mix together, as the first draft of a new preset."""
        wanted = [
            given({"reference": one.reference, "label": one.label}) | {"strength": one.strength}
            for one in members
        ]
        words = given({"title": title, "description": description, "mode": mode})
        return self._post("/presets", {"name": name, "members": wanted} | words)

    def preset_publish(self, name: str, *, version: str, visibility: str = "", draft_id: str = "") -> Json:
        """Freeze a draft for good: the newest, unless `draft_id` says which."""
        owner, preset = parse_name(name)
        body = {"version": parse_version(version)} | given({"visibility": visibility, "draft_id": draft_id})
        return self._post(f"/presets/{owner}/{preset}/publish", body)

    def lock(self, references: Sequence[str]) -> Lock:
        """What references of vectors and presets mean now, in one request; `write_lock` makes a file of it.

        Raises:
            NotFoundError: one names nothing that this token may see.
            GatedError, PaidError: the files of one are kept back from this token.
        """
        return locking.make_lock([_named(parse_any(text)) for text in references], self.source)

    def pull_lock(self, lock: Lock) -> int:
        """Bring everything that a lock names into the cache; how many files were fetched.

        Raises:
            LockError: the registry gives one of the digests no more.
            DigestMismatchError: other bytes came than the lock says; they were not kept.
        """
        return locking.pull_lock(lock, self.source)

    def lock_moved(self, lock: Lock) -> list[tuple[LockEntry, Resolved | None]]:
        """The entries of a lock whose references mean something else now."""
        return locking.moved(lock, self.source)


def _named(reference: Reference) -> Reference:
    if not reference.owner:
        raise ReferenceSyntaxError(f"{reference} is a digest, which never moves; lock owner/name@{reference}")
    return reference


def _path(reference: Reference) -> str:
    return f"/presets/{reference.owner}/{reference.name}/versions/{reference.selector}"
