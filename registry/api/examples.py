"""Requests and answers of the main operations, as the OpenAPI document shows them. A test holds each to its
schema.
"""

from typing import Any

DIGEST = "sha256:" + "c41e" * 16
GGUF = "https://bearing.example/api/v1/vectors/acme/formality/versions/1.0.0/download?format=llama.cpp"


def dataset_version(number: int, digest: str, n_pairs: int) -> dict[str, Any]:
    """A version of acme/tone in short."""
    return {
        "dataset": "acme/tone",
        "number": number,
        "reference": f"acme/tone@{number}",
        "digest": "sha256:" + digest * 16,
        "n_pairs": n_pairs,
        "source_format": "jsonl",
        "source_filename": "pairs.jsonl",
        "source_digest": DIGEST,
        "notes": "",
        "created_at": "2026-11-29T08:00:00Z",
        "url": f"https://bearing.example/datasets/acme/tone/versions/{number}",
    }


PAIR = {
    "prompt": "How do I cook rice?",
    "positive": "Certainly. Rinse it, then simmer it in twice its volume of water.",
    "negative": "Dunno, just boil it.",
    "group": "cooking",
    "domain": "food",
    "template": "",
}

# operation id -> (request, status, answer); None for what is not shown.
EXAMPLES: dict[str, tuple[Any, str, Any]] = {
    "runs_start": (
        {
            "dataset": "acme/tone@1",
            "base_model": "bearing/demo",
            "vector": "formality",
            "publish_version": "1.0.0",
            "license": "CC-BY-4.0",
            "visibility": "public",
        },
        "202",
        None,
    ),
    "migrations_start": (
        {"source": "acme/formality@1.0.0", "base_model": "acme/other", "vector": "formality-other"},
        "202",
        None,
    ),
    "vectors_publish": (
        {"version": "1.0.0", "license": "CC-BY-4.0", "visibility": "public"},
        "201",
        None,
    ),
    "vectors_update": (
        {"title": "Formality", "description": "Formal above 0, casual below.", "trait": "formality"},
        "200",
        None,
    ),
    "vectors_yank": ({"reason": "The sign is wrong; use 1.0.1."}, "200", None),
    "vectors_flag": (
        {"reason": "misleading", "text": "It is called formality, and gives none at any strength."},
        "201",
        None,
    ),
    "flags_decide": (
        {"outcome": "removed", "reason": "It is a copy of acme/formality.", "removal": "legal"},
        "200",
        None,
    ),
    "tokens_create": (
        {"name": "ci", "scopes": ["read"]},
        "201",
        None,
    ),
    "organisations_create": ({"slug": "initech", "title": "Initech"}, "201", None),
    "organisations_invitations_create": ({"email": "ada@example.org", "role": "writer"}, "201", None),
    "webhooks_create": (
        {"namespace": "initech", "url": "https://ci.initech.example/hooks", "actions": ["version.*"]},
        "201",
        None,
    ),
    "credentials_revoke": ({"tokens": ["brg_…"]}, "202", None),
    "datasets_version_rows": (
        None,
        "200",
        {
            "items": [{"number": 12, "pair": PAIR, "split": "test", "remarks": ["uneven_length"]}],
            "next_cursor": "12",
        },
    ),
    "datasets_version_diff": (
        None,
        "200",
        {
            "before": dataset_version(1, "c41e", 49),
            "after": dataset_version(2, "7b90", 48),
            "counts": {"changed": 1, "added": 0, "removed": 1},
            "changes": [
                {
                    "kind": "changed",
                    "row_before": 12,
                    "row_after": 12,
                    "fields": ["negative"],
                    "is_swap": False,
                    "before": {**PAIR, "negative": "Dunno."},
                    "after": PAIR,
                }
            ],
            "left_out": 1,
        },
    ),
    "vectors_downloads": (
        None,
        "200",
        {
            "total": 1204,
            "last_30_days": 311,
            "versions": {"1.0.0": 204, "1.1.0": 1000},
            "days": [{"day": "2026-11-28", "downloads": 14, "ci": 230}],
        },
    ),
    "vectors_version_forms": (
        None,
        "200",
        {
            "items": [
                {
                    "format": "llama.cpp",
                    "title": "llama.cpp control vector",
                    "suffix": ".gguf",
                    "url": GGUF,
                    "state": "done",
                    "reason": "",
                    "warnings": [],
                    "usage": "llama-cli -m model.gguf --control-vector-scaled formality.gguf:1.0",
                    "files": [
                        {
                            "suffix": ".gguf",
                            "digest": DIGEST,
                            "size_bytes": 1248,
                            "url": GGUF,
                        }
                    ],
                }
            ]
        },
    ),
}
PROBLEM = {
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "there is no vector acme/formality",
    "code": "vector.not_found",
    "errors": [],
    "request_id": "6f1c8e0d2b7a4c3f9e5d1a0b4c6d8e2f",
}


def with_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The document with these in it, and a problem beside every operation's refusals."""
    for methods in result["paths"].values():
        for method in methods.values():
            request, status, answer = EXAMPLES.get(method["operationId"], (None, "", None))
            if request is not None:
                method["requestBody"]["content"]["application/json"]["example"] = request
            if answer is not None:
                method["responses"][status]["content"]["application/json"]["example"] = answer
            refused = method["responses"].get("4XX", {}).get("content", {})
            if "application/problem+json" in refused:
                refused["application/problem+json"]["example"] = PROBLEM
    return result
