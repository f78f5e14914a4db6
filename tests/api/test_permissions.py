"""What a token may do at all."""

from io import BytesIO

from tests.api.conftest import Api
from tests.factories import make_pairs_file


def test_write_with_read_token_is_refused(reader: Api) -> None:
    answer = reader.upload("/datasets", name="tone", file=BytesIO(make_pairs_file()))
    assert answer.status_code == 403
    assert answer.json()["code"] == "token.scope_missing"


def test_check_with_read_token_is_allowed(reader: Api) -> None:
    assert reader.upload("/datasets/check", file=BytesIO(make_pairs_file())).status_code == 200


def test_check_without_token_is_refused(nobody: Api) -> None:
    answer = nobody.upload("/datasets/check", file=BytesIO(make_pairs_file()))
    assert answer.status_code == 401


def test_runs_with_read_token_can_be_listed_not_started(reader: Api) -> None:
    assert reader.get("/runs").status_code == 200
    assert reader.post("/runs", {}).json()["code"] == "token.scope_missing"


def test_runs_without_token_are_refused(nobody: Api) -> None:
    assert nobody.get("/runs").status_code == 401
