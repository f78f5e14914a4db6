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
# nginx stands in front (deploy), so the last entry of X-Forwarded-For is the caller, whose requests and
# attempts to sign in are counted.
REST_FRAMEWORK = {**REST_FRAMEWORK, "NUM_PROXIES": 1}
ALLAUTH_TRUSTED_PROXY_COUNT = 1
# A link that sets a new password has no place in a log: without a mail server, no mail is written.
EMAIL_HOST = env.optional("EMAIL_HOST", "")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
# Where no mail is sent, nobody could verify an address, and staff would be locked out.
MFA_ALLOW_UNVERIFIED_EMAIL = not EMAIL_HOST
STAFF_NEEDS_SECOND_FACTOR = True
EMAIL_PORT = env.port("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.optional("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.optional("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = EMAIL_PORT == 587
EMAIL_USE_SSL = EMAIL_PORT == 465
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.optional("DEFAULT_FROM_EMAIL", f"bearing@{ALLOWED_HOSTS[0]}")
# What is sent is signed and not encrypted; on a network of one's own that may do.
WEBHOOK_SCHEMES = ["https", "http"] if WEBHOOK_ALLOW_PRIVATE else ["https"]
# With PLAYGROUND_STREAMS fewer than the threads that docker-compose.yml gives each web process.
RUN_WATCHERS = 4
