"""Check files of contrastive pairs and turn them into immutable dataset versions.

`dataset_check` reads bytes and judges them; nothing is stored. `dataset_publish` stores and names them
in one step, `upload_stage` and `upload_commit` do it in two, with a look at the report between.
"""

import logging
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import transaction

from registry.accounts.access import (
    Visibility,
    check_not_hidden,
    checked_visibility,
    namespace_for,
    require,
    split_name,
    visible_to,
)
from registry.accounts.models import Namespace, User
from registry.accounts.ownership import name_claim, row_named
from registry.accounts.roles import Role
from registry.audit.services import record
from registry.core.errors import InvalidError, NotFoundError
from registry.core.licences import License
from registry.core.naming import row_id
from registry.datasets.drafts import Draft, check_room, draft_get
from registry.datasets.models import Dataset, DatasetUpload, DatasetVersion
from registry.datasets.rows import history
from registry.datasets.selectors import row_flags
from registry.storage.models import Blob
from registry.storage.services import blob_put, blob_read
from registry.uploads.selectors import upload_blob
from registry.uploads.services import clean_filename
from registry.uploads.states import Purpose
from steering_core.errors import PairsError
from steering_core.pairs.checks import check_pairs, judge_pairs
from steering_core.pairs.jsonl import read_canonical, write_jsonl
from steering_core.pairs.pair import PairFile
from steering_core.pairs.readers import read_pairs, read_two_files
from steering_core.pairs.readers.loose import read_loosely
from steering_core.spec import digest

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/jsonl"
PREVIEW_ROWS = 5
PREVIEW_CHARS = 300
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True, slots=True)
class CheckedDataset:
    """A readable file: what it holds, and what is noteworthy about it."""

    canonical: bytes
    source_format: str
    source_filename: str
    source_digest: str
    n_pairs: int
    report: dict[str, Any]
    preview: list[dict[str, str]]

    @property
    def digest(self) -> str:
        """`sha256:…` of the canonical bytes: the same pairs have the same digest in every format."""
        return digest(self.canonical)


def dataset_check(*, data: bytes, filename: str = "", negative: bytes | None = None) -> CheckedDataset:
    """Read a file of pairs, or two files zipped by line, and report on it.

    Args:
        data: the file, or the positive half when `negative` is given.
        filename: what the user called it; kept for people, never trusted.
        negative: the negative half of the two-file form.
    Raises:
        InvalidError: unreadable or unusable; `code` is the one of steering_core.errors.PairsError.
    """
    try:
        found = read_pairs(data, filename=filename) if negative is None else read_two_files(data, negative)
        report = check_pairs(found.pairs, notes=found.notes)
    except PairsError as error:
        raise _refused(error) from error
    return _checked(found, report, filename=filename, sent=_joined(data, negative))


def dataset_read(*, data: bytes, filename: str = "", negative: bytes | None = None) -> CheckedDataset:
    """As `dataset_check`, for pairs that their owner goes on mending: tables of other signs are read too, and
    what cannot be used yet is a `refusal` in the report.

    Raises:
        InvalidError: no form that is known, or a row that is not usable.
    """
    try:
        found = read_loosely(data, filename=filename) if negative is None else read_two_files(data, negative)
    except PairsError as error:
        raise _refused(error) from error
    report = judge_pairs(found.pairs, notes=found.notes)
    return _checked(found, report, filename=filename, sent=_joined(data, negative))


def dataset_read_uploaded(*, actor: User, upload_id: str, negative_id: str = "") -> CheckedDataset:
    """As `dataset_check_uploaded`, by `dataset_read`."""
    data, filename, negative = _uploaded(actor, upload_id, negative_id)
    return dataset_read(data=data, filename=filename, negative=negative)


def dataset_check_uploaded(*, actor: User, upload_id: str, negative_id: str = "") -> CheckedDataset:
    """As `dataset_check`, of a complete upload of the actor, or of two.

    Raises:
        NotFoundError: there is no such upload of the actor.
        ConflictError: it is not complete.
        InvalidError: it was announced for something else; or as `dataset_check`.
        BlobStoreError: the store is out of reach.
    """
    data, filename, negative = _uploaded(actor, upload_id, negative_id)
    return dataset_check(data=data, filename=filename, negative=negative)


@dataclass(frozen=True, slots=True)
class DatasetWords:
    """What people say about a data set; `notes` are of the version. What is empty leaves what there is."""

    description: str = ""
    license: str = ""
    language: str = ""
    notes: str = ""


def dataset_publish(
    *,
    actor: User,
    name: str,
    checked: CheckedDataset,
    visibility: str = "",
    description: str = "",
    words: DatasetWords | None = None,
) -> tuple[DatasetVersion, bool]:
    """Store checked pairs as the next version of a dataset, making it when it is new.

    Args:
        name: `owner/name`, or a name in the actor's own namespace.

    Sending the newest version's pairs again returns that version: nothing is doubled. `visibility`
    counts for a new dataset only, where empty means private.

    Returns:
        The version, and whether it is new.
    Raises:
        InvalidError: the name is not valid, or the visibility is unknown.
        NotFoundError, NotAllowedError: it is not the actor's to write.
        BlobStoreError: the blob store is out of reach.
    """
    words = checked_words(words or DatasetWords(description=description))
    target = _target(actor, name, visibility)
    blob = blob_put(data=checked.canonical, media_type=MEDIA_TYPE)
    return _version_add(target, actor, blob=blob, source=checked, visibility=visibility, words=words)


def upload_stage(*, owner: User, checked: CheckedDataset, name: str = "") -> DatasetUpload:
    """Keep pairs while their owner reads the report and mends them.

    Raises:
        QuotaExceededError: too many uploads of the owner are unfinished.
        BlobStoreError: the blob store is out of reach.
    """
    check_room(owner)
    blob = blob_put(data=checked.canonical, media_type=MEDIA_TYPE)
    return DatasetUpload.objects.create(
        owner=owner,
        blob=blob,
        name=name[:129],
        flags=row_flags(read_canonical(checked.canonical)),
        n_pairs=checked.n_pairs,
        source_format=checked.source_format,
        source_filename=checked.source_filename,
        source_digest=checked.source_digest,
        report=checked.report,
        preview=checked.preview,
    )


def upload_commit(
    *,
    actor: User,
    upload_id: str,
    name: str,
    visibility: str = "",
    description: str = "",
    words: DatasetWords | None = None,
) -> DatasetVersion:
    """Turn an upload, with what was mended in it, into the next version of a dataset; `name` as in
    `dataset_publish`.

    Raises:
        NotFoundError: no such upload of this user, it is past its time, or it was saved meanwhile.
        InvalidError: as `dataset_publish`; or its pairs cannot be used yet, and `code` says why.
    """
    words = checked_words(words or DatasetWords(description=description))
    target = _target(actor, name, visibility)
    draft = draft_get(owner=actor, upload_id=upload_id)
    source: CheckedDataset | DatasetUpload = draft.upload
    blob = draft.upload.blob
    if draft.edits or "refusal" in source.report:
        source, blob = _mended(draft)
    with transaction.atomic():
        version, _ = _version_add(target, actor, blob=blob, source=source, visibility=visibility, words=words)
        deleted, _ = DatasetUpload.objects.filter(pk=draft.upload.pk).delete()
        if not deleted:
            # Saved twice at once: the other one has made the version.
            raise NotFoundError("this upload was saved or discarded meanwhile", code="upload.not_found")
    return version


def upload_discard(*, owner: User, upload_id: str) -> None:
    """Forget a staged upload; discarding twice is no error."""
    DatasetUpload.objects.filter(owner=owner, pk=row_id(upload_id)).delete()


def dataset_make_public(*, actor: User, name: str) -> Dataset:
    """Show a dataset to everybody. There is no way back: others may have built on it.

    Args:
        name: `owner/name`, or a name in the actor's own namespace.
    Raises:
        NotFoundError, NotAllowedError: it is not the actor's to change, or operators made it private.
    """
    owner, name = split_name(actor, name, what="name")
    dataset: Dataset | None = row_named(
        Dataset.objects.filter(visible_to(actor)).select_related("owner"), owner, name
    )
    if dataset is None:
        raise NotFoundError(f"there is no dataset {owner}/{name}", code="dataset.not_found")
    require(actor, Role.WRITER, dataset)
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update(of=("self",)).select_related("owner").get(pk=dataset.pk)
        check_not_hidden(dataset, Visibility.PUBLIC)
        dataset.visibility = Visibility.PUBLIC
        dataset.save(update_fields=["visibility"])
        record("dataset.made_public", subject=dataset, namespace=dataset.owner, actor=actor, is_public=True)
    return dataset


def checked_words(words: DatasetWords) -> DatasetWords:
    """The words, if they can be meant.

    Raises:
        InvalidError: the licence is unknown, or the language is no tag.
    """
    if words.license and words.license not in License.values:
        raise InvalidError(
            f"licence {words.license!r} is not known; choose one of {', '.join(License.values)}",
            code="dataset.license",
            fields={"license": "unknown"},
        )
    tags = [tag.strip() for tag in words.language.split(",") if tag.strip()]
    if len(words.language) > 60 or any(not _LANGUAGE.fullmatch(tag) for tag in tags):
        raise InvalidError(
            f"language is {words.language[:60]!r}; expected tags such as en or pt-BR, with commas between",
            code="dataset.language",
            fields={"language": "no tag"},
        )
    return replace(words, language=", ".join(tags))


def _mended(draft: Draft) -> tuple[CheckedDataset, Blob]:
    """The rows as they stand now, judged as any file is, and stored."""
    upload, pairs = draft.upload, [row.pair for row in draft.kept]
    notes = [*(upload.report.get("notes") or []), *history(draft.edits, draft.rows)]
    try:
        report = check_pairs(pairs, notes=notes)
    except PairsError as error:
        raise _refused(error) from error
    found = CheckedDataset(
        canonical=write_jsonl(pairs),
        source_format=upload.source_format,
        source_filename=upload.source_filename,
        source_digest=upload.source_digest,
        n_pairs=len(pairs),
        report=report,
        preview=[],
    )
    return found, blob_put(data=found.canonical, media_type=MEDIA_TYPE)


def _uploaded(actor: User, upload_id: str, negative_id: str) -> tuple[bytes, str, bytes | None]:
    uploads = [
        upload_blob(viewer=actor, upload_id=one, purpose=Purpose.DATASET)
        for one in (upload_id, negative_id)
        if one
    ]
    data, *others = (blob_read(sha256=upload.sha256) for upload in uploads)
    return data, uploads[0].filename, others[0] if others else None


def _joined(data: bytes, negative: bytes | None) -> bytes:
    return data if negative is None else data + b"\0" + negative


def _refused(error: PairsError) -> InvalidError:
    fields = {} if error.row is None else {"row": str(error.row)}
    return InvalidError(error.message, code=error.code, fields=fields)


def _checked(found: PairFile, report: dict[str, Any], *, filename: str, sent: bytes) -> CheckedDataset:
    return CheckedDataset(
        canonical=write_jsonl(found.pairs),
        source_format=found.format,
        source_filename=clean_filename(filename),
        source_digest=digest(sent),
        n_pairs=len(found.pairs),
        report=report,
        preview=[
            {name: _shortened(text) for name, text in asdict(pair).items()}
            for pair in found.pairs[:PREVIEW_ROWS]
        ],
    )


def _shortened(text: str) -> str:
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "…"


def _target(actor: User, text: str, visibility: str) -> tuple[Namespace, str]:
    """Where a version is to go. A team's grant on a dataset that exists is as good as a role in its
    namespace.
    """
    slug, name = split_name(actor, text, what="name")
    existing = row_named(Dataset.objects.filter(visible_to(actor)).select_related("owner"), slug, name)
    if existing is not None:
        require(actor, Role.WRITER, existing)
        owner, name = existing.owner, existing.name
    else:
        owner = namespace_for(actor, slug)
    if visibility:
        checked_visibility(visibility, owner)
    return owner, name


def _version_add(
    target: tuple[Namespace, str],
    actor: User,
    *,
    blob: Blob,
    source: CheckedDataset | DatasetUpload,
    visibility: str,
    words: DatasetWords,
) -> tuple[DatasetVersion, bool]:
    """One transaction: the dataset row is the lock under which the next number is drawn."""
    owner, name = target
    said = {"description": words.description[:500], "license": words.license, "language": words.language}
    defaults = {"visibility": visibility or Visibility.PRIVATE, **said}
    with transaction.atomic():
        with name_claim(f"{owner}/{name}"):
            _, is_new = Dataset.objects.get_or_create(owner=owner, name=name, defaults=defaults)
        dataset = Dataset.objects.select_for_update().get(owner=owner, name=name)
        newest = dataset.versions.select_related("blob").first()
        if newest is not None and newest.blob == blob:
            return newest, False
        if not is_new and (changed := {field: text for field, text in said.items() if text}):
            Dataset.objects.filter(pk=dataset.pk).update(**changed)
        version = DatasetVersion.objects.create(
            dataset=dataset,
            number=1 if newest is None else newest.number + 1,
            blob=blob,
            n_pairs=source.n_pairs,
            source_format=source.source_format,
            source_filename=source.source_filename,
            source_digest=source.source_digest,
            report=source.report,
            notes=words.notes[:1000],
        )
        is_public = dataset.visibility == Visibility.PUBLIC
        record("dataset.version_created", subject=version, namespace=owner, actor=actor, is_public=is_public)
    logger.info(
        "dataset version created", extra={"dataset_version_id": version.pk, "n_pairs": version.n_pairs}
    )
    return version, True
