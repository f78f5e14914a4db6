"""Log lines: JSON on one line, with the ids of what they belong to."""

import json
import logging

from registry.core.logging import IdsFilter, JsonLineFormatter, request_id


def line(message: str, *args: object, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": message, "args": args, **extra})
    IdsFilter().filter(record)
    return JsonLineFormatter().format(record)


def test_line_carries_event_ids_and_extras() -> None:
    token = request_id.set("r1")
    found = json.loads(line("blob stored", size_bytes=3))
    request_id.reset(token)
    assert (found["event"], found["request_id"], found["size_bytes"]) == ("blob stored", "r1", 3)
    assert "run_id" not in found


def test_line_keeps_an_id_that_the_event_names() -> None:
    assert json.loads(line("run queued", run_id="r2"))["run_id"] == "r2"


def test_newline_in_a_value_starts_no_line() -> None:
    assert "\n" not in line("owner %s", "a\nb", name_of_owner="x\ny")
