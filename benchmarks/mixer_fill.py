"""People with tokens and one published vector in a service that runs, for `mixer`; prints them as JSON."""

import json
import sys
import time

import django

TIMEOUT_SECONDS = 900


def main() -> None:
    django.setup()
    from registry.accounts.models import User
    from registry.accounts.services import token_create
    from registry.datasets.services import dataset_check, dataset_publish
    from registry.runs.models import Run
    from registry.runs.services import ExtractionRequest, extraction_start
    from steering_core.demo import demo_pairs
    from steering_core.pairs.jsonl import write_jsonl

    users = [
        User.objects.create_user(f"person-{i}", f"p{i}@example.org", None) for i in range(int(sys.argv[1]))
    ]
    tokens = [token_create(user=user, name="bench", scopes=["read"])[1] for user in users]
    # Few pairs, so that the run takes a minute. Tier smoke has no safety screen, so nobody else would see it.
    checked = dataset_check(data=write_jsonl(demo_pairs("formality", 24, seed=1)), filename="pairs.jsonl")
    dataset, _ = dataset_publish(actor=users[0], name="pairs", checked=checked, visibility="public")
    wanted = ExtractionRequest(
        str(dataset),
        "bearing/demo",
        "formality",
        publish_version="1.0.0",
        license="CC-BY-4.0",
        visibility="public",
    )
    run, _ = extraction_start(actor=users[0], request=wanted)
    end = time.monotonic() + TIMEOUT_SECONDS
    while not run.is_over and time.monotonic() < end:
        time.sleep(1)
        run = Run.objects.select_related("vector_version").get(pk=run.pk)
    if run.vector_version is None or not run.vector_version.version:
        sys.exit(f"no vector was published: {run.state}, {run.error_message}")
    print(json.dumps({"tokens": tokens, "vector": "person-0/formality@1.0.0"}))


if __name__ == "__main__":
    main()
