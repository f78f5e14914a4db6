"""Feed the reader of vector files with mutated ones: `python -m tests.fuzz --seconds 3600`.

Where atheris is installed, coverage leads the search (`pip install atheris`, in an environment of its own);
otherwise it is random. A file that breaks a promise is written to the current folder, and ends the run.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

ATHERIS: Any = import_module("atheris") if find_spec("atheris") else None

# Atheris counts the branches of what is imported under its eye.
with ATHERIS.instrument_imports(include=["steering_core"]) if ATHERIS else nullcontext():
    from steering_core.errors import FormatError
    from steering_core.formats.bearing import inspect_vector, read_vector, write_vector
    from steering_core.formats.codes import FORMAT_ERROR_CODES
    from tests.hostile_files.mutation import MAX_BYTES, mutated
    from tests.hostile_files.vectors import CASES, good_vectors


def check(data: bytes) -> str:
    """How a file is received: "read", or the code that it is refused with.

    Raises:
        AssertionError: it was read and is not what would be written, or the code is not documented.
        Exception: what else came out of the reader.
    """
    try:
        vector = read_vector(data)
    except FormatError as error:
        if error.code not in FORMAT_ERROR_CODES or len(error.message) > 500:
            raise AssertionError(f"{error.code} with {len(error.message)} characters") from error
        return error.code
    assert write_vector(vector) == data
    json.dumps(inspect_vector(data), allow_nan=False)
    return "read"


def seeds() -> list[bytes]:
    """Files to start from: the good ones, and the hostile ones that are not large."""
    built = [write_vector(vector) for vector in good_vectors()] + [case.build() for case in CASES]
    return [data for data in built if len(data) <= MAX_BYTES]


def random_search(seconds: float, seed: int, *, executions: int | None = None) -> Counter[str]:
    """Mutate seeds, and what was made of them, for a while; the counts of each answer."""
    random, found = Random(seed), Counter[str]()
    corpus = seeds()
    good = len(good_vectors())
    end = time.monotonic() + seconds
    while time.monotonic() < end and (executions is None or found.total() < executions):
        data = mutated(random.choice(corpus[: good if random.random() < 0.7 else None]), random)
        answer = received(data)
        if answer not in found or (answer == "read" and len(corpus) < 2000):
            corpus.append(data)
        found[answer] += 1
    return found


def received(data: bytes) -> str:
    """`check`, with the file kept if it breaks a promise."""
    try:
        return check(data)
    except Exception:
        Path(f"broken-{hashlib.sha256(data).hexdigest()[:16]}.safetensors").write_bytes(data)
        raise


def guided_search(seconds: float, seed: int) -> None:
    """Atheris over the same mutations, starting from the same files; it never returns."""
    found, end = Counter[str](), time.monotonic() + seconds
    corpus = tempfile.TemporaryDirectory()
    for number, data in enumerate(seeds()):
        (Path(corpus.name) / str(number)).write_bytes(data)

    def one(data: bytes) -> None:
        found[received(data)] += 1
        if time.monotonic() > end:
            print(summary(found), flush=True)
            corpus.cleanup()
            os._exit(0)  # libFuzzer would print its own statistics and leave as abruptly

    def mutate(data: bytes, max_size: int, mutation_seed: int) -> bytes:
        random = Random(mutation_seed)
        if random.random() < 0.3:
            return bytes(ATHERIS.Mutate(data, max_size))
        return mutated(data, random)[:max_size]

    options = [f"-max_len={MAX_BYTES}", f"-seed={seed}", "-timeout=5", "-verbosity=0"]
    ATHERIS.Setup([sys.argv[0], *options, corpus.name], one, custom_mutator=mutate)
    ATHERIS.Fuzz()


def summary(found: Counter[str]) -> str:
    """One line per answer, after the sum."""
    missing = sorted(set(FORMAT_ERROR_CODES) - set(found))
    lines = [f"{count:12,} {answer}" for answer, count in found.most_common()]
    return "\n".join([f"{found.total():,} executions", *lines, f"never: {', '.join(missing)}"])


def main() -> None:
    """Search for as long as was asked."""
    parser = argparse.ArgumentParser(description="Feed the reader of vector files with mutated ones.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if ATHERIS:
        guided_search(asked.seconds, asked.seed)
    else:
        print(summary(random_search(asked.seconds, asked.seed)))


if __name__ == "__main__":
    main()
