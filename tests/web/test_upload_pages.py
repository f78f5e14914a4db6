"""Upload, preview, commit: what is read is shown, what is refused is explained, nothing typed is lost."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.datasets.models import Dataset, DatasetUpload
from tests.factories import make_pairs_file
from tests.web.pages import words

pytestmark = pytest.mark.django_db


def file(data: bytes, name: str = "pairs.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def staged(client: Client, name: str = "tone-pairs") -> str:
    """The address of the preview of a good file."""
    return client.post("/datasets/new", {"name": name, "file": file(make_pairs_file())})["Location"]


def test_upload_needs_a_sign_in(client: Client) -> None:
    assert client.get("/datasets/new")["Location"] == "/accounts/login/?next=/datasets/new"


def test_upload_good_file_leads_to_a_preview_with_format_rows_and_report(signed_in: Client) -> None:
    page = words(signed_in.get(staged(signed_in)).content)
    for text in (
        "JSONL, one pair per line",
        "20 pairs",
        "pairs.jsonl",
        "Certainly. Answer 0.",
        "Usable pairs",
    ):
        assert text in page


def test_upload_name_is_carried_to_the_preview_or_made_of_the_filename(signed_in: Client) -> None:
    assert 'value="tone-pairs"' in signed_in.get(staged(signed_in)).content.decode()
    upload = file(make_pairs_file(), "My Pairs (2).jsonl")
    address = signed_in.post("/datasets/new", {"name": "", "file": upload})["Location"]
    assert 'value="my-pairs-2"' in signed_in.get(address).content.decode()


def test_upload_refusal_names_row_and_reason_and_keeps_the_name(signed_in: Client) -> None:
    lines = make_pairs_file().splitlines()
    lines[6] = json.dumps({"positive": "only one side"}).encode()
    response = signed_in.post("/datasets/new", {"name": "tone", "file": file(b"\n".join(lines))})
    assert response.status_code == 422
    assert "Row 7" in words(response.content)
    assert 'value="tone"' in response.content.decode()
    assert not DatasetUpload.objects.exists()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"\x00", b"[]", b"PK\x03\x04", b"{" * 2000])
def test_upload_hostile_file_is_refused_with_a_page(signed_in: Client, data: bytes) -> None:
    response = signed_in.post("/datasets/new", {"name": "tone", "file": file(data)})
    assert response.status_code == 422
    assert "The rows were not accepted" in words(response.content)


def test_upload_without_a_file_says_so(signed_in: Client) -> None:
    response = signed_in.post("/datasets/new", {"name": "tone"})
    assert response.status_code == 422
    assert 'value="tone"' in response.content.decode()


def test_upload_over_the_limit_is_cut_and_keeps_the_name(signed_in: Client) -> None:
    response = signed_in.post("/datasets/new", {"name": "tone", "file": file(b"x" * (34 << 20))})
    assert response.status_code == 422
    assert "larger than" in words(response.content)
    assert 'value="tone"' in response.content.decode()


def test_upload_two_files_are_zipped_by_line(signed_in: Client) -> None:
    sides = [
        b"\n".join(f"{word} text {i}".encode() for i in range(12)) for word in ("brief", "a much longer")
    ]
    sent = {"name": "", "file": file(sides[0], "short.txt"), "negative_file": file(sides[1], "long.txt")}
    page = words(signed_in.get(signed_in.post("/datasets/new", sent)["Location"]).content)
    assert "two text files, line by line" in page
    assert "12 pairs" in page


def test_commit_makes_an_immutable_version_and_shows_it(signed_in: Client) -> None:
    sent = {"name": "tone-pairs", "visibility": "public", "description": "About tone."}
    response = signed_in.post(staged(signed_in), sent)
    assert response["Location"] == "/datasets/acme/tone-pairs/versions/1"
    assert "About tone." in words(signed_in.get(response["Location"]).content)


def test_commit_with_a_bad_name_is_refused_and_the_upload_stays(signed_in: Client) -> None:
    response = signed_in.post(staged(signed_in), {"name": "No Good", "description": "kept"})
    assert response.status_code == 422
    assert "is not a valid name" in words(response.content)
    assert "kept" in words(response.content)
    assert DatasetUpload.objects.exists()
    assert not Dataset.objects.exists()


def test_discard_forgets_the_upload(signed_in: Client) -> None:
    address = staged(signed_in).split("?")[0]
    assert signed_in.post(f"{address}/discard")["Location"] == "/datasets/new"
    assert signed_in.get(address).status_code == 404


def test_preview_of_another_user_is_404(signed_in: Client, stranger: Client) -> None:
    address = staged(signed_in).split("?")[0]
    assert stranger.get(address).status_code == 404
    assert stranger.post(address, {"name": "mine"}).status_code == 404
    stranger.post(f"{address}/discard")
    assert DatasetUpload.objects.exists()


def test_preview_escapes_what_the_file_says(signed_in: Client) -> None:
    data = make_pairs_file().replace(b"Certainly.", b"<script>alert(1)</script>")
    address = signed_in.post("/datasets/new", {"file": file(data, "<img>.jsonl")})["Location"]
    page = signed_in.get(address).content.decode()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert" in page
