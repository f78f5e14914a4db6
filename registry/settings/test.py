"""What the tests run on: real servers, short leases, a cheap password hash."""

from registry.settings.base import *  # noqa: F403  every setting is re-exported on purpose

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
RUN_LEASE_SECONDS = 3.0
RUN_SWEEP_SECONDS = 0.5
RUN_RING_SECONDS = 1.0
RUN_RETRY_SECONDS = 0.2
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
