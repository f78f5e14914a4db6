"""Rows that are mended before they are saved."""

from typing import Any

import pytest

from registry.core.errors import InvalidError
from registry.datasets import drafts
from registry.datasets.drafts import draft_edit, draft_from_version, draft_undo
from registry.datasets.services import dataset_check, upload_stage
from tests.factories import make_dataset_version, make_pairs_file


def test_rows_opened_twice_at_once_are_one_draft(owner: Any, monkeypatch: Any) -> None:
    version = make_dataset_version(owner=owner)
    read, opened = drafts.version_pairs, []

    def while_another_opens(**which: Any) -> Any:
        monkeypatch.undo()
        opened.append(draft_from_version(actor=owner, version=version))
        return read(**which)

    monkeypatch.setattr(drafts, "version_pairs", while_another_opens)
    assert [draft_from_version(actor=owner, version=version)] == opened


def test_swap_and_undo_leave_the_file_unread(owner: Any, monkeypatch: Any) -> None:
    upload = upload_stage(owner=owner, checked=dataset_check(data=make_pairs_file(20)))
    mine = {"owner": owner, "upload_id": str(upload.pk)}
    draft_edit(**mine, kind="add", pair={"positive": "Added.", "negative": "Lost."})
    monkeypatch.setattr(drafts, "blob_read", None)

    draft_edit(**mine, kind="swap", rows=[21])
    with pytest.raises(InvalidError, match="rows are 1 to 21"):
        draft_edit(**mine, kind="swap", rows=[22])
    assert [edit and edit.kind for edit in (draft_undo(**mine) for _ in range(3))] == ["swap", "add", None]
