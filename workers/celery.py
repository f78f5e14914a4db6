"""What `celery -A workers.celery worker` starts from: Django set up, tasks registered."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings.development")
django.setup()

from registry.celery import app  # noqa: E402  Django has to be ready before anything that has models
from workers import tasks  # noqa: E402,F401  registers the tasks

__all__ = ["app"]
