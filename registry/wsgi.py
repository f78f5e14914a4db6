"""The WSGI application that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings.production")
application = get_wsgi_application()
# Views are loaded now, not while somebody waits for the first page of a process.
get_resolver().url_patterns  # noqa: B018  a property that loads them
# What is loaded by now lives as long as the process: to look through it again and again would stop some
# request for a tenth of a second.
gc.freeze()
