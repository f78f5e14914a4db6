"""The Celery app, which is only a doorbell: messages carry a run's id, and the truth is in PostgreSQL.

This module imports no task, so a web process can ring without loading a worker's code. `workers.celery`
is what a worker starts from. The reasons for each setting: docs/adr/0003-postgres-is-the-truth-for-runs.md.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings.development")

app = Celery("bearing")
app.config_from_object(
    {
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "task_default_queue": "cpu",
        "broker_connection_retry_on_startup": True,
        # A lost message costs one sweep; waiting for the broker would hold a web request.
        "task_publish_retry": False,
        "broker_transport_options": {
            "visibility_timeout": 86_400,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_keepalive": True,
            "socket_connect_timeout": 3,
            "health_check_interval": 25,
            "global_keyprefix": "bearing:",
        },
    }
)


@app.on_configure.connect
def _from_django(sender: Celery, **_: object) -> None:
    """What depends on Django's settings is read when the app is first used, after Django is set up."""
    from django.conf import settings

    sender.conf.broker_url = settings.REDIS_URL
    sender.conf.task_time_limit = settings.RUN_TIME_LIMIT_SECONDS + 60
