"""Behind a TLS-terminating proxy. A missing secret stops start-up with its name."""

from registry.settings import env
from registry.settings.base import *

ALLOWED_HOSTS = [host.strip() for host in env.required("ALLOWED_HOSTS").split(",")]
PUBLIC_URL = env.required("PUBLIC_URL").rstrip("/")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
# The health check comes from inside the container network, without TLS.
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# nginx stands in front (deploy), so the last entry of X-Forwarded-For is the caller.
REST_FRAMEWORK = {**REST_FRAMEWORK, "NUM_PROXIES": 1}
