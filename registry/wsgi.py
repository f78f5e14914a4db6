"""The WSGI application that gunicorn serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "registry.settings.production")
application = get_wsgi_application()
# What is loaded by now lives as long as the process: to look through it again and again would stop some
# request for a tenth of a second.
gc.freeze()
