"""Datasets in every form that is read; the form is recognised from the content. Pairs go on to `checks`."""

from steering_core.errors import PairsError
from steering_core.pairs.decode import checked_bytes
from steering_core.pairs.limits import DEFAULT_LIMITS, Limits
from steering_core.pairs.pair import PairFile
from steering_core.pairs.readers.csv_table import looks_like_table, read_csv
from steering_core.pairs.readers.documents import looks_like_document, read_document
from steering_core.pairs.readers.json_array import read_json_array
from steering_core.pairs.readers.json_lines import read_json_lines
from steering_core.pairs.readers.rollouts import looks_like_rollouts
from steering_core.pairs.readers.two_files import read_two_files
from steering_core.pairs.rows import check_one_template

__all__ = ["FORMAT_LABELS", "PairFile", "read_pairs", "read_two_files"]

FORMAT_LABELS: dict[str, str] = {
    "jsonl": "JSONL, one pair per line",
    "json": "JSON array of pairs",
    "csv": "CSV table of pairs",
    "two_columns": "two columns, positive then negative",
    "preference_jsonl": "preference pairs (JSONL)",
    "preference_json": "preference pairs (JSON)",
    "preference_csv": "preference pairs (CSV)",
    "kto": "answers with a label, KTO (JSON or JSONL)",
    "chat": "chats with a label and a pair id (JSON or JSONL)",
    "caa": "CAA A/B questions (JSON)",
    "caa_truthfulqa": "CAA TruthfulQA questions (JSON or JSONL)",
    "mwe": "model-written evals (JSONL)",
    "steering_bench": "steering-bench (JSON or JSONL)",
    "repeng": "repeng raw texts (JSON)",
    "steering_vectors": "steering-vectors raw texts (JSON or JSONL)",
    "cast_behavior": "CAST behaviour with questions (JSON)",
    "cast_condition": "CAST condition (JSON)",
    "persona_rollouts": "Persona Vectors rollouts, two CSV tables",
    "two_files": "two text files, line by line",
    "two_lists": "two JSON lists, text by text",
}


def read_pairs(data: bytes, *, filename: str = "", limits: Limits = DEFAULT_LIMITS) -> PairFile:
    """The pairs of one file. `filename` can only refuse (a *.zip is no dataset), never choose the form.

    Raises:
        PairsError: one of `codes.DATASET_ERROR_CODES`; `row` counts pairs from 1, without a CSV header.
    """
    found = _read(checked_bytes(data, filename, limits), limits)
    check_one_template(found.pairs)
    return found


def _read(body: bytes, limits: Limits) -> PairFile:
    first = body.lstrip()[:1]
    if first == b"{":
        return read_document(body, limits) if looks_like_document(body) else read_json_lines(body, limits)
    if first == b"[":
        return read_json_array(body, limits)
    if looks_like_table(body):
        if looks_like_rollouts(body):
            raise PairsError(
                "the file is one side of the rollouts of Persona Vectors; send two tables as two files, the "
                "one of the positive and the one of the negative instructions",
                code="dataset.one_rollout",
            )
        return read_csv(body, limits)
    raise PairsError(
        "the file is no dataset that is known here: expected JSON, JSONL, or CSV with a header; "
        "docs/datasets.md shows every form. Plain lines come as two files, one of positive and one of "
        "negative texts",
        code="dataset.unknown_format",
    )
