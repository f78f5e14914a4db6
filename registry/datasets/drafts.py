"""Mend the rows of an upload: write, add, swap, leave out, bring back, undo; and edit a saved version's rows.

`rows` says how the pairs stand after the edits; `services.upload_commit` saves them.
"""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.accounts.access import require
from registry.accounts.models import User
from registry.accounts.roles import Role
from registry.core.errors import InvalidError, QuotaExceededError
from registry.datasets.models import UPLOAD_LIFETIME, DatasetEdit, DatasetUpload, DatasetVersion
from registry.datasets.rows import DraftRow, kept, rows_after
from registry.datasets.selectors import upload_get, version_flags, version_pairs
from registry.datasets.states import EditKind
from registry.storage.services import blob_read
from steering_core.errors import PairsError
from steering_core.pairs.checks import judge_pairs
from steering_core.pairs.flags import flagged_rows
from steering_core.pairs.jsonl import read_canonical
from steering_core.pairs.limits import DEFAULT_LIMITS
from steering_core.pairs.rows import HOUSE, pair_from_row

MOST_EDITS = 2000
MOST_DRAFTS = 50
WHOLE = (EditKind.RAW, EditKind.TURNS)


@dataclass(frozen=True, slots=True)
class Draft:
    """An upload with its rows as they stand now, and the newest edit."""

    upload: DatasetUpload
    rows: list[DraftRow]
    edits: list[DatasetEdit]

    @property
    def kept(self) -> list[DraftRow]:
        """The rows that will be saved."""
        return kept(self.rows)

    @property
    def newest_edit(self) -> DatasetEdit | None:
        """What an undo would take back."""
        return self.edits[-1] if self.edits else None

    @property
    def is_reported(self) -> bool:
        """Whether report and flags of the upload are those of the rows as they stand."""
        return self.upload.reported_edit == (self.edits[-1].pk if self.edits else 0)


def draft_get(*, owner: User, upload_id: str) -> Draft:
    """An upload of this user with its rows.

    Raises:
        NotFoundError: unknown, another user's, or expired.
        BlobStoreError: the store is out of reach.
    """
    upload = upload_get(owner=owner, upload_id=upload_id)
    edits = list(upload.edits.all())
    return Draft(upload, _rows(upload, edits), edits)


def draft_report(*, draft: Draft) -> Draft:
    """Bring report and flags in step with the rows, and keep them."""
    if draft.is_reported:
        return draft
    upload, rows = draft.upload, draft.kept
    pairs = [row.pair for row in rows]
    upload.report = judge_pairs(pairs, notes=upload.report.get("notes") or [])
    upload.flags = {
        flag: [rows[place].number for place in places] for flag, places in flagged_rows(pairs).items()
    }
    upload.reported_edit = draft.edits[-1].pk if draft.edits else 0
    upload.save(update_fields=["report", "flags", "reported_edit"])
    return draft


def draft_edit(
    *,
    owner: User,
    upload_id: str,
    kind: str,
    rows: list[int] | None = None,
    pair: dict[str, Any] | None = None,
) -> DatasetEdit:
    """Do one thing to the rows of an upload.

    Args:
        kind: one of `EditKind`.
        rows: their numbers; for a swap, an exclusion or a restoration, none means all.
        pair: for `edit` and `add`, the new texts by field.
    Raises:
        NotFoundError: there is no such upload of this user.
        InvalidError: the kind is unknown, a row is not there, or a text cannot be used: `fields` names it.
        QuotaExceededError: there were too many edits; save a version first.
    """
    numbers = [] if kind in WHOLE else sorted(set(rows or []))
    with transaction.atomic():
        upload = upload_get(owner=owner, upload_id=upload_id, lock=True)
        edits = list(upload.edits.all())
        n_rows = upload.n_pairs + sum(edit.kind == EditKind.ADD for edit in edits)
        if kind not in EditKind.values:
            raise InvalidError(
                f"{kind!r} cannot be done to a row; choose one of {', '.join(EditKind.values)}"
            )
        if len(edits) >= MOST_EDITS:
            raise QuotaExceededError(
                f"{MOST_EDITS:,} edits were made here; save a version, then go on from it",
                code="upload.edits",
            )
        if unknown := [number for number in numbers if not 1 <= number <= n_rows]:
            raise InvalidError(f"there is no row {unknown[0]}; rows are 1 to {n_rows}", code="upload.row")
        texts = None
        if kind in (EditKind.EDIT, EditKind.ADD):
            if kind == EditKind.EDIT and len(numbers) != 1:
                raise InvalidError("one row is written at a time; name it", code="upload.row")
            row = numbers[0] if kind == EditKind.EDIT else n_rows + 1
            texts = _checked(pair or {}, row, _rows(upload, edits))
        edit = DatasetEdit.objects.create(upload=upload, kind=kind, rows=numbers, pair=texts)
        _touch(upload)
    return edit


def draft_undo(*, owner: User, upload_id: str) -> DatasetEdit | None:
    """Take the newest edit back; None where there is none.

    Raises:
        NotFoundError: there is no such upload of this user.
    """
    with transaction.atomic():
        upload = upload_get(owner=owner, upload_id=upload_id, lock=True)
        edit = upload.edits.last()
        if edit is not None:
            edit.delete()
            _touch(upload)
    return edit


def draft_from_version(*, actor: User, version: DatasetVersion) -> DatasetUpload:
    """Open the rows of a saved version for editing; saving them makes the next version. What the actor has
    open already is gone on with.

    Raises:
        NotAllowedError: the actor may not write to the data set.
    """
    require(actor, Role.WRITER, version.dataset)
    pairs = version_pairs(version=version)
    flags = version_flags(version=version, pairs=pairs)
    with transaction.atomic():
        # Locked, so that of two clicks at once the second finds what the first opened.
        User.objects.select_for_update().get(pk=actor.pk)
        open_one = DatasetUpload.objects.filter(owner=actor, based_on=version).first()
        if open_one is not None and not open_one.is_expired:
            return open_one
        check_room(actor)
        return DatasetUpload.objects.create(
            owner=actor,
            blob=version.blob,
            based_on=version,
            name=str(version.dataset),
            n_pairs=version.n_pairs,
            source_format=version.source_format,
            source_filename=version.source_filename,
            source_digest=version.source_digest,
            report=version.report,
            flags=flags,
            preview=[asdict(pair) for pair in pairs[:1]],
        )


def check_room(owner: User) -> None:
    """Forget what is past its time, then see that there are not too many.

    Raises:
        QuotaExceededError: too many uploads of the user are unfinished.
    """
    DatasetUpload.objects.filter(owner=owner, touched_at__lt=timezone.now() - UPLOAD_LIFETIME).delete()
    if DatasetUpload.objects.filter(owner=owner).count() >= MOST_DRAFTS:
        raise QuotaExceededError(
            f"{MOST_DRAFTS} of your uploads are unfinished; save or discard some first", code="upload.quota"
        )


def _rows(upload: DatasetUpload, edits: list[DatasetEdit]) -> list[DraftRow]:
    return rows_after(read_canonical(blob_read(sha256=upload.blob_id)), edits)


def _touch(upload: DatasetUpload) -> None:
    DatasetUpload.objects.filter(pk=upload.pk).update(touched_at=timezone.now())


def _checked(pair: dict[str, Any], row: int, rows: list[DraftRow]) -> dict[str, str]:
    """The texts, as any file's are checked; the template is the one that the other rows have."""
    template = next((other.pair.template for other in rows), "")
    fields = {
        name: text for name in HOUSE.fields if (text := str(pair.get(name) or "").replace("\r\n", "\n"))
    }
    fields["template"] = template
    try:
        return asdict(pair_from_row({"positive": "", "negative": "", **fields}, HOUSE, row, DEFAULT_LIMITS))
    except PairsError as error:
        message = error.message.partition(": ")[2]
        field = message.partition(" ")[0]
        raise InvalidError(
            message, code=error.code, fields={field: message} if field in HOUSE.fields else {}
        ) from error
