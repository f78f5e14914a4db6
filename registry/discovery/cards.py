"""What lists show of a vector without reading its report: a few numbers and words, derived once by one
statement, as `entries` derives what searches read. `web.cards` draws them.
"""

from collections.abc import Mapping
from typing import Any, TypedDict

from registry.catalog.models import Vector, VectorVersion


class Shown(TypedDict):
    """What a card says of a version.

    Attributes:
        summary: of the report, in one line.
        window: of the native file: the strengths that work; null if unknown.
        poles: the words of the two ends, `[negative, positive]`; null where the scorer has none.
        points: `[strength, mean score]` of the dose–response, in order of strength.
        drawn: the window that was measured with these points; null if there is none.
        gates: `[name, verdict, reason]` of those that decide the verdict.
    """

    summary: str | None
    window: list[float] | None
    poles: list[str] | None
    points: list[list[float]]
    drawn: list[float] | None
    gates: list[list[str]]


class Sample(TypedDict):
    """A stored reply to a prompt without the vector and with it, inside its window."""

    prompt: str
    strength: float
    before: str
    after: str


def with_shown(vector: Vector) -> Vector:
    """The vector, its newest version knowing what a card says of it; no query where `card` was fetched."""
    card = getattr(vector, "card", None)
    if card is not None and vector.latest is not None:
        vector.latest.shown = card.shown  # type: ignore[attr-defined]
    return vector


def shown_of(version: VectorVersion) -> Shown:
    """What a card says of a version: as `with_shown` left it, else of the report, which is read for it."""
    kept: Shown | None = getattr(version, "shown", None)
    return kept or read_shown(version.report or {}, version.manifest or {})


def read_shown(report: Mapping[str, Any], manifest: Mapping[str, Any]) -> Shown:
    """As `CARDS` reads it, for a version that is not the newest and for one whose card is not yet written."""
    curve, trait = report.get("dose_response") or {}, report.get("trait") or {}
    points = [
        [row["strength"], row["mean"]]
        for row in curve.get("points") or []
        if row.get("strength") is not None and row.get("mean") is not None
    ]
    negative, positive = trait.get("negative_pole"), trait.get("positive_pole")
    verdict = report.get("verdict")
    return Shown(
        summary=report.get("summary"),
        window=manifest.get("window"),
        poles=[negative, positive] if negative and positive else None,
        points=sorted(points),
        drawn=curve.get("window"),
        gates=[
            [gate["name"], gate["verdict"], gate["reason"][:REASON_LETTERS]]
            for gate in report.get("gates") or []
            if verdict != "pass" and gate["verdict"] == verdict
        ],
    )


REASON_LETTERS = 200
SAMPLE_LETTERS = 400


def _array(path: str) -> str:
    """What is at a path of a report, as rows; none where it is no array."""
    return (
        f"jsonb_array_elements(CASE jsonb_typeof(l.report #> '{path}') "
        f"WHEN 'array' THEN l.report #> '{path}' ELSE '[]' END)"
    )


# Made of constants of this module alone.
CARDS = f"""
INSERT INTO discovery_card (vector_id, shown, sample)
SELECT v.id,
    jsonb_build_object(
        'summary', l.report -> 'summary',
        'window', nullif(l.manifest -> 'window', 'null'),
        'poles', CASE WHEN t.negative <> '' AND t.positive <> ''
            THEN jsonb_build_array(t.negative, t.positive) END,
        'points', coalesce((
            SELECT jsonb_agg(
                jsonb_build_array(p -> 'strength', p -> 'mean') ORDER BY (p ->> 'strength')::float8
            )
            FROM {_array("{dose_response,points}")} p
            WHERE p ->> 'strength' IS NOT NULL AND p ->> 'mean' IS NOT NULL
        ), '[]'),
        'drawn', nullif(l.report #> '{{dose_response,window}}', 'null'),
        'gates', coalesce((
            SELECT jsonb_agg(
                jsonb_build_array(g -> 'name', g -> 'verdict', left(g ->> 'reason', {REASON_LETTERS}))
                ORDER BY place
            )
            FROM {_array("{gates}")} WITH ORDINALITY AS gates(g, place)
            WHERE l.verdict <> 'pass' AND g ->> 'verdict' = l.verdict
        ), '[]')
    ),
    sample.found
FROM catalog_vector v
JOIN catalog_vectorversion l ON l.id = v.latest_id
CROSS JOIN LATERAL (
    SELECT l.report #>> '{{trait,negative_pole}}' AS negative,
        l.report #>> '{{trait,positive_pole}}' AS positive
) t
LEFT JOIN LATERAL (
    SELECT jsonb_build_object(
        'prompt', s ->> 'prompt', 'strength', s -> 'strength',
        'before', left(plain.text, {SAMPLE_LETTERS}), 'after', left(s ->> 'text', {SAMPLE_LETTERS})
    ) AS found
    FROM {_array("{samples}")} WITH ORDINALITY AS steered(s, place)
    JOIN LATERAL (
        SELECT u ->> 'text' AS text FROM {_array("{samples}")} u
        WHERE u -> 'prompt' = s -> 'prompt' AND (u ->> 'strength')::float8 = 0 LIMIT 1
    ) plain ON true
    WHERE (s ->> 'strength')::float8 > 0
        AND (s ->> 'strength')::float8 <= (l.report #>> '{{dose_response,window,1}}')::float8
        AND btrim(s ->> 'text') <> '' AND btrim(plain.text) <> '' AND s ->> 'text' <> plain.text
    -- The strongest inside the window; of prompts the first.
    ORDER BY (s ->> 'strength')::float8 DESC, place LIMIT 1
) sample ON true
WHERE v.removed_at IS NULL AND v.id = ANY(%s)
ON CONFLICT (vector_id) DO UPDATE SET shown = EXCLUDED.shown, sample = EXCLUDED.sample
"""  # noqa: S608
