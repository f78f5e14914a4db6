"""`manage.py register_base_model PATH`: fingerprint a local model folder and make it available to runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.catalog.base_models import SCORERS, base_model_register
from registry.core.errors import RegistryError
from steering_core.errors import SteeringError
from steering_core.evaluation.suite import MAX_BYTES


class Command(BaseCommand):
    """Safe to repeat: the same content is registered once."""

    help = "Register a base model revision from a local folder in the Hugging Face layout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="folder with config.json, tokenizer and *.safetensors")
        parser.add_argument("--name", required=True, help="owner/name, for people")
        parser.add_argument(
            "--scorer", default="", choices=SCORERS, help="the exact scorer of this model, if it has one"
        )
        parser.add_argument(
            "--suite",
            type=Path,
            help="JSON file of prompts and questions to measure with; it may be changed later",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row, is_new = base_model_register(
                path=options["path"],
                name=options["name"],
                scorer=options["scorer"],
                suite=_content(options["suite"]),
            )
        except (SteeringError, RegistryError) as error:
            raise CommandError(f"{error.message} ({error.code})") from error
        self.stdout.write(f"{'registered' if is_new else 'already registered'}: {row.name} {row.model_hash}")
        if row.suite_digest:
            self.stdout.write(f"suite: {row.suite_digest}")


def _content(path: Path | None) -> bytes:
    """No more of a file than is needed to see that it is too large."""
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise CommandError(f"{path} is empty; docs/suites.md says what a suite holds")
    return data
