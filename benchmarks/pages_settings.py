"""Settings for `benchmarks.pages`: static files hashed and compressed as in production, plain HTTP, no
throttle.
"""

from registry.settings.base import *  # noqa: F403
from registry.settings.base import BASE_DIR, REST_FRAMEWORK

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = False
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {}}
