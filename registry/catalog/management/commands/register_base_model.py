"""`manage.py register_base_model PATH`: fingerprint a local model folder and make it available to runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from registry.catalog.services import SCORERS, base_model_register
from registry.core.errors import RegistryError
from steering_core.errors import SteeringError


class Command(BaseCommand):
    """Safe to repeat: the same content is registered once."""

    help = "Register a base model revision from a local folder in the Hugging Face layout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="folder with config.json, tokenizer and *.safetensors")
        parser.add_argument("--name", required=True, help="owner/name, for people")
        parser.add_argument(
            "--scorer", default="", choices=SCORERS, help="the exact scorer of this model, if it has one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row, is_new = base_model_register(
                path=options["path"], name=options["name"], scorer=options["scorer"]
            )
        except (SteeringError, RegistryError) as error:
            raise CommandError(f"{error.message} ({error.code})") from error
        self.stdout.write(f"{'registered' if is_new else 'already registered'}: {row.name} {row.model_hash}")
