"""What the tests run on: real servers, short leases, a cheap password hash."""

from registry.settings import env
from registry.settings.base import *

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
RUN_LEASE_SECONDS = env.seconds("RUN_LEASE_SECONDS", 3)
RUN_SWEEP_SECONDS = env.seconds("RUN_SWEEP_SECONDS", 0.5)
RUN_RING_SECONDS = env.seconds("RUN_RING_SECONDS", 1)
RUN_RETRY_SECONDS = env.seconds("RUN_RETRY_SECONDS", 0.2)
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {}}
# Static files are looked up when asked for; there is no collected folder to warn about.
WHITENOISE_AUTOREFRESH = True
WEBHOOK_ALLOW_PRIVATE = True
SHOW_STYLEGUIDE = True
