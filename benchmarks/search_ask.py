"""Asks the searches of `benchmarks.search` and prints how long each took. Run by it inside the service's
environment.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django
import numpy as np

django.setup()

from django.db import connection  # noqa: E402  Django must be set up before
from django.utils import timezone  # noqa: E402

from registry.accounts.models import User  # noqa: E402
from registry.discovery.facets import facet_counts  # noqa: E402
from registry.discovery.models import SearchEntry  # noqa: E402
from registry.discovery.search import Wanted, matching, vector_search  # noqa: E402

PAGE = 20
WARMING = 3


def main(rounds: int) -> None:
    """Each search once in each round, after some to warm up."""
    searches, times = _searches(), {}
    gc.freeze()  # as the service does once it has started, see registry.wsgi
    for number in range(-WARMING, rounds):
        for name, (_, ask) in searches.items():
            started = time.perf_counter()
            ask()
            if number >= 0:
                times.setdefault(name, []).append(1000 * (time.perf_counter() - started))
    told = {
        name: {
            "found": matching(None, wanted).count(),
            **_figures(times[name]),
        }
        for name, (wanted, _) in searches.items()
    }
    for title, is_one in (("all lists", is_list), ("all facets", lambda name: not is_list(name))):
        every = [value for name, values in times.items() if is_one(name) for value in values]
        told[title] = {"found": 0, **_figures(every)}
    json.dump({"vectors": SearchEntry.objects.count(), "rounds": rounds, "searches": told}, sys.stdout)


def is_list(name: str) -> bool:
    """Whether it gives a page of vectors, and not how many have which value."""
    return not name.startswith("facets of:")


def _figures(times: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(float(np.percentile(times, 50)), 2),
        "p99_ms": round(float(np.percentile(times, 99)), 2),
        "max_ms": round(max(times), 2),
    }


def _searches() -> dict[str, tuple[Wanted, Callable[[], Any]]]:
    words = _words()
    trait = _trait()
    month = timezone.now() - timedelta(days=30)
    member = User.objects.get(username="bench")
    named: dict[str, Wanted] = {
        "everything": Wanted(),
        "newest": Wanted(sort="newest"),
        "most downloaded": Wanted(sort="downloads"),
        "of the last month": Wanted(since=month),
        "one owner": Wanted(owner="owner-700"),
        **{f"word in {n:,} vectors": Wanted(word) for word, n in words},
        "prefix of two letters": Wanted(words[0][0][:2]),
        "two frequent words": Wanted(f"{words[0][0]} {words[1][0]}"),
        "a frequent and a rare word": Wanted(f"{words[0][0]} {words[-1][0]}"),
        "word that is nowhere": Wanted("qqqq"),
        "word, newest first": Wanted(words[2][0], sort="newest"),
        "rare trait": Wanted(facets={"trait": (trait,)}),
        "rare licence": Wanted(facets={"license": ("CC0-1.0",)}),
        "three facets": Wanted(
            facets={"verdict": ("pass", "warn"), "family": ("Llama",), "language": ("de",)}
        ),
        "facets that few have": Wanted(
            facets={"verdict": ("fail",), "license": ("CC0-1.0",), "language": ("zh",)}
        ),
        "word and facets": Wanted(words[1][0], facets={"verdict": ("pass",), "license": ("MIT",)}),
    }
    searches: dict[str, tuple[Wanted, Callable[[], Any]]] = {
        name: (wanted, lambda wanted=wanted: vector_search(viewer=None, wanted=wanted).page(PAGE))
        for name, wanted in named.items()
    }
    searches["everything, signed in"] = (Wanted(), lambda: vector_search(viewer=member).page(PAGE))
    deep = _deep_cursor()
    searches["everything, page 100"] = (Wanted(), lambda: vector_search(viewer=None).page(PAGE, deep))
    for name in ("everything", *list(named)[5:8], "rare trait", "three facets"):
        wanted = named[name]
        searches[f"facets of: {name}"] = (
            wanted,
            lambda wanted=wanted: facet_counts(viewer=None, wanted=wanted),
        )
    return searches


def _deep_cursor() -> str:
    cursor = ""
    for _ in range(100):
        _, cursor = vector_search(viewer=None).page(PAGE, cursor)
    return cursor


def _words() -> list[tuple[str, int]]:
    """Words of the vectors, from the most frequent to a rare one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, ndoc FROM ts_stat("
            "'SELECT document FROM discovery_searchentry TABLESAMPLE SYSTEM (20)'"
            ") WHERE length(word) > 5 ORDER BY ndoc DESC"
        )
        rows = [word for word, _ in cursor.fetchall()]
    chosen = [rows[place] for place in (0, 1, 10, 100, 1000, 3000, len(rows) - 1) if place < len(rows)]
    return [(word, matching(None, Wanted(word)).count()) for word in chosen]


def _trait() -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lower(trait) FROM catalog_vector GROUP BY 1 ORDER BY count(*) LIMIT 1 OFFSET 5"
        )
        return str(cursor.fetchone()[0])


if __name__ == "__main__":
    main(int(sys.argv[1]))
