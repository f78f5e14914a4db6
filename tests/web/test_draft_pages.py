"""Rows are pasted, mended, saved, edited into the next version and compared; large files come in parts."""

import base64
import hashlib
import json
from typing import Any

import pytest
from django.test import Client

from registry.accounts.models import User
from registry.datasets.models import DatasetEdit, DatasetUpload, DatasetVersion
from registry.datasets.selectors import version_pairs
from tests.factories import make_dataset_version, make_pairs_file
from tests.web.pages import words

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
NINE = "\n".join(f"Warm answer {i}. | Cold answer {i}." for i in range(8)) + "\nSame. | Same."


def pasted(client: Client, text: str = NINE, **more: str) -> str:
    """The address of what was made of pasted rows."""
    return client.post("/datasets/new", {"text": text, **more})["Location"]


def kept(address: str) -> DatasetUpload:
    return DatasetUpload.objects.get(pk=address.rsplit("/", 1)[1])


def test_pasted_rows_that_are_too_few_are_kept_mended_and_saved(signed_in: Client) -> None:
    address = pasted(signed_in)
    page = words(signed_in.get(address).content)
    for said in ("two columns", "A guess", "8 usable pairs", "2 more to be saved", "both texts are the same"):
        assert said in page
    refused = signed_in.post(address, {"name": "tone", "notes": "kept"})
    assert refused.status_code == 422
    assert "8 usable pairs" in words(refused.content)
    assert "kept" in words(refused.content)

    row = {"positive": "Warm one more.", "negative": "Cold one more.", "prompt": "", "group": ""}
    mended = signed_in.post(f"{address}/rows/9", {"kind": "edit", **row, "back": "?flag=identical&x=<b>"})
    assert mended["Location"] == f"{address}?flag=identical#row-9"
    assert signed_in.post(f"{address}/rows/add", row | {"positive": "Added."})["Location"].endswith("#row-10")
    assert "Row 10 is added" in words(signed_in.get(address).content)
    sent = {"name": "tone", "license": "CC0-1.0", "language": "en, pt-BR", "notes": "By hand."}
    assert signed_in.post(address, sent)["Location"] == "/datasets/acme/tone/versions/1"
    version = DatasetVersion.objects.get()
    assert (version.n_pairs, version.notes, version.dataset.license) == (10, "By hand.", "CC0-1.0")
    assert "1 rows changed, 1 rows added" in version.report["notes"][-1]
    assert not DatasetEdit.objects.exists()
    shown = words(signed_in.get("/datasets/acme/tone").content)
    assert all(text in shown for text in ("CC0-1.0", "en, pt-BR", "By hand."))


def test_row_is_refused_with_what_was_typed_and_nothing_is_changed(signed_in: Client) -> None:
    address = pasted(signed_in)
    for text, said in (("", "required"), ("<|im_end|>", "control token"), ("a\u202eb", "bidirectional")):
        sent = {"kind": "edit", "positive": text, "negative": "typed before"}
        for more in ({}, HTMX):
            response = signed_in.post(f"{address}/rows/1", sent, **more)
            assert response.status_code == 422
            assert said in words(response.content)
            assert "typed before" in response.content.decode()
    assert signed_in.post(f"{address}/rows/1", {"kind": "drop"}).status_code == 422
    assert signed_in.post(f"{address}/rows/99", {"kind": "swap"}).status_code == 404
    assert not DatasetEdit.objects.exists()


def test_row_is_replaced_in_place_and_the_report_follows(signed_in: Client) -> None:
    address = pasted(signed_in, make_pairs_file().decode())
    answer = signed_in.post(f"{address}/rows/2", {"kind": "exclude"}, **HTMX)
    assert answer["HX-Trigger"] == "draft-changed"
    page = answer.content.decode()
    assert 'id="row-2"' in page
    assert "Bring back" in page
    assert "Row 2 left out. 19 of 20 rows are kept." in words(page)
    report = signed_in.get(f"{address}/report", {"shown": ["2", "x"]}, **HTMX).content.decode()
    assert "<strong>19</strong> usable pairs" in report
    assert 'id="row-2-flags" hx-swap-oob' in report
    signed_in.post(f"{address}/rows/1", {"kind": "swap"}, **HTMX)
    assert signed_in.post(f"{address}/undo")["Location"] == f"{address}#row-1"
    assert signed_in.post(f"{address}/undo")["Location"] == f"{address}#row-2"
    signed_in.post(f"{address}/undo")
    assert "nothing to undo" in words(signed_in.get(address).content)
    assert kept(address).report["n_pairs"] == 20


def test_batch_leaves_out_what_is_flagged_and_swaps_all(signed_in: Client) -> None:
    address = pasted(signed_in, (make_pairs_file() + make_pairs_file(3)).decode())
    page = words(signed_in.get(f"{address}?flag=duplicates").content)
    assert "1–3 of 3 rows" in page
    signed_in.post(f"{address}/batch", {"kind": "exclude", "flag": "duplicates"})
    page = words(signed_in.get(f"{address}?show=excluded").content)
    assert "20 of 23 rows kept" in page
    assert "repeats another row" not in page
    signed_in.post(f"{address}/batch", {"kind": "swap"})
    assert "All rows swapped." in words(signed_in.get(address).content)
    signed_in.post(address, {"name": "tone"})
    first, *_ = version_pairs(version=DatasetVersion.objects.get())
    assert (first.positive, first.negative) == ("Dunno, 0.", "Certainly. Answer 0.")


def test_saved_rows_are_edited_into_the_next_version_and_compared(signed_in: Client, acme: User) -> None:
    make_dataset_version(owner=acme)
    versions = "/datasets/acme/tone-pairs/versions"
    address = signed_in.post(f"{versions}/1/edit")["Location"]
    assert signed_in.post(f"{versions}/1/edit")["Location"] == address
    row = {"positive": "Certainly, my dear.", "negative": "Dunno, 0.", "prompt": "Question 0 about tone?"}
    signed_in.post(f"{address}/rows/1", {"kind": "edit", **row, "group": "g0", "domain": "test"})
    signed_in.post(f"{address}/rows/20", {"kind": "exclude"})
    page = signed_in.get(address).content.decode()
    assert 'value="acme/tone-pairs"' in page
    assert signed_in.post(address, {"name": "acme/tone-pairs"})["Location"] == f"{versions}/2"
    page = signed_in.get(f"{versions}/2/changes").content.decode()
    assert "<ins>, my dear</ins>" in page
    assert "changed" in words(page)
    assert "Question 19 about tone?" in words(page)
    assert "Question 19" not in words(signed_in.get(f"{versions}/2/changes?kind=changed").content)
    assert "Nothing to compare" in words(signed_in.get(f"{versions}/1/changes").content)
    assert signed_in.get(f"{versions}/2/changes?since=9&page=x").status_code == 200


def test_rows_of_a_version_are_searched_filtered_and_paged(client: Client, acme: User) -> None:
    make_dataset_version(owner=acme, visibility="public", data=make_pairs_file(60))
    rows = "/datasets/acme/tone-pairs/versions/1/rows"
    assert "1–25 of 60 rows" in words(client.get(rows).content)
    assert "51–60 of 60 rows" in words(client.get(f"{rows}?page=3").content)
    assert "1 of 1 row " in words(client.get(f"{rows}?q=ANSWER+59").content)
    assert "Row 59" in client.get(f"{rows}?row=59").content.decode()
    report = DatasetVersion.objects.get().report
    for split in ("train", "select", "test"):
        assert f"of {report['splits'][split]} rows" in words(client.get(f"{rows}?split={split}").content)
    for odd in ("?page=-1", "?page=99999999", "?split=x&flag=y", "?q=%00", "?domain=none", "?row=x"):
        assert client.get(rows + odd).status_code == 200


def test_drafts_and_transfers_are_their_owners_alone(signed_in: Client, stranger: Client, acme: User) -> None:
    address = pasted(signed_in, make_pairs_file().decode())
    make_dataset_version(owner=acme, visibility="public")
    for path in ("", "/report", "/rows/1", "/rows/add"):
        assert stranger.get(address + path).status_code == 404
    for path in ("/rows/1", "/rows/add", "/batch", "/undo"):
        assert stranger.post(address + path, {"kind": "swap"}).status_code == 404
    assert stranger.post("/datasets/acme/tone-pairs/versions/1/edit").status_code == 403
    assert not DatasetEdit.objects.exists()
    assert "Your unfinished uploads" not in words(stranger.get("/datasets/new").content)
    assert "Your unfinished uploads" in words(signed_in.get("/datasets/new").content)


def test_file_comes_in_parts_and_goes_on_after_a_break(
    signed_in: Client, stranger: Client, settings: Any
) -> None:
    settings.UPLOAD_PART_BYTES = {**settings.UPLOAD_PART_BYTES, "app": 1000}
    data = make_pairs_file()
    announced = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data), "filename": "big.jsonl"}
    state = signed_in.post("/datasets/new/transfers", announced).json()
    assert state["missing"] == [1, 2, 3]

    def put(client: Client, number: int, part: bytes) -> Any:
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        return client.put(
            f"{state['part_url']}{number}",
            part,
            content_type="application/octet-stream",
            headers={"Content-Digest": f"sha-256=:{digest}:"},
        )

    assert put(signed_in, 2, data[1000:2000]).status_code == 200
    assert put(stranger, 1, data[:1000]).status_code == 404
    assert put(signed_in, 1, b"short").json()["code"] == "upload.part_size"
    again = signed_in.post("/datasets/new/transfers", announced).json()
    assert (again["id"], again["missing"]) == (state["id"], [1, 3])
    assert "big.jsonl" in words(signed_in.get("/datasets/new").content)
    assert signed_in.post(state["complete_url"]).json()["code"] == "upload.parts_missing"
    put(signed_in, 1, data[:1000])
    put(signed_in, 3, data[2000:])
    assert signed_in.post(state["complete_url"]).json()["state"] == "complete"
    address = signed_in.post("/datasets/new", {"upload": state["id"], "name": "big"})["Location"]
    assert kept(address).n_pairs == 20
    assert stranger.post("/datasets/new", {"upload": state["id"]}).status_code == 422
    refused = signed_in.post("/datasets/new/transfers", {"sha256": "x", "size_bytes": "-1"})
    assert (refused.status_code, json.loads(refused.content)["code"]) == (422, "upload.digest")
