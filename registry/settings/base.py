"""Settings common to every environment. Values come from `env`; the other modules change few of them."""

from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from registry.settings import env

BASE_DIR = env.ROOT
DEBUG = False
SECRET_KEY = env.required("SECRET_KEY")
# Older keys: what was signed or encrypted with them is still read.
SECRET_KEY_FALLBACKS = env.listed("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.listed("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.listed("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = env.optional("PUBLIC_URL", "http://localhost:8000").rstrip("/")

INSTALLED_APPS = [
    "registry.accounts.apps.StaffPagesConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.contrib.sitemaps",
    "pgtrigger",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "registry.core",
    "registry.storage",
    "registry.audit",
    "registry.accounts",
    "registry.uploads",
    "registry.datasets",
    "registry.catalog",
    "registry.discovery",
    "registry.serving",
    "registry.presets",
    "registry.runs",
    "registry.trust",
    "registry.notifications",
    "registry.playground",
    "registry.webhooks",
    "registry.api",
    "registry.web",
]

MIDDLEWARE = [
    "registry.core.logging.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "registry.web.compression.PageCompressionMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "registry.web.errors.RegistryErrorMiddleware",
    "registry.api.throttling.PageThrottleMiddleware",
]

ROOT_URLCONF = "registry.urls"
WSGI_APPLICATION = "registry.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": dj_database_url.parse(env.required("DATABASE_URL"), conn_max_age=60, conn_health_checks=True)
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.required("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "bearing",
    }
}

# Blobs: S3 when S3_BUCKET is set, else a folder.
S3 = env.s3_config()
BLOB_STORE_PATH = env.optional("BLOB_STORE_PATH", str(env.data_folder() / "blobs"))
# Who sends the bytes of a file once access is decided: the store (by redirect), nginx in front, or the app.
SERVE_FILES = env.chosen("SERVE_FILES", "redirect" if S3 else "app", ("redirect", "accel", "app"))
# A second name of this service, from which Hub clients fetch files, see `api.hub.serving`; empty: none.
FILES_URL = env.optional("FILES_URL", "").rstrip("/")
# How long a signed address works: enough to follow it, too little to pass it on.
FILE_LINK_SECONDS = 60

# Accounts.
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
# One may work at once; joining an organisation and a second factor take a verified address.
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_USERNAME_VALIDATORS = "registry.accounts.validators.USERNAME_VALIDATORS"
ACCOUNT_ADAPTER = "registry.accounts.adapter.AccountAdapter"
ACCOUNT_LOGOUT_ON_GET = False
# A mail says so when a password, an address or a second factor changed.
ACCOUNT_EMAIL_NOTIFICATIONS = True
MFA_ADAPTER = "registry.accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Bearing"
# Clocks of phones differ; a code works for half a minute before and after its own.
MFA_TOTP_TOLERANCE = 1
# Whether staff need a second factor for the staff pages.
STAFF_NEEDS_SECOND_FACTOR = False
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
# On one's own machine, mail is read in the web process's log.
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

# Pages: assets from this server only, no inline script or style.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# Uploads: bounded before a parser sees them. The file limit itself is steering_core.pairs.limits.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 100
DATA_UPLOAD_MAX_NUMBER_FILES = 2
FILE_UPLOAD_HANDLERS = ["registry.core.uploads.BoundedUploadHandler"]
UPLOAD_MAX_BYTES = 33 * 1024 * 1024
# Uploads in parts: straight into the bucket where users reach it, else a request to the app for each part.
_into_bucket = "s3" if S3 and SERVE_FILES == "redirect" else "app"
UPLOAD_METHOD = env.chosen("UPLOAD_METHOD", _into_bucket, ("s3", "app") if S3 else ("app",))
UPLOAD_PART_BYTES = {"s3": 8 * 1024 * 1024, "app": 1024 * 1024}
UPLOAD_MAX_OPEN = 10
UPLOAD_SECONDS = 24 * 3600
UPLOAD_LINK_SECONDS = 3600

# Whether `/styleguide` is there, which is for those who write pages.
SHOW_STYLEGUIDE = False
STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["registry.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["registry.api.permissions.ReadOrScopedWrite"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "registry.api.pagination.Cursor",
    "DEFAULT_SCHEMA_CLASS": "registry.api.schema.Schema",
    "DEFAULT_THROTTLE_CLASSES": ["registry.api.throttling.BucketThrottle"],
    # Without a bucket's name: of `api`, to which every operation belongs that says nothing else.
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.rate("THROTTLE_ANON", "300/min"),
        "user": env.rate("THROTTLE_USER", "1200/min"),
        "leaks-anon": env.rate("THROTTLE_LEAKS", "30/min"),
        "resolve-anon": env.rate("THROTTLE_RESOLVE_ANON", "3000/min"),
        "resolve-user": env.rate("THROTTLE_RESOLVE_USER", "12000/min"),
        "files-anon": env.rate("THROTTLE_FILES_ANON", "600/min"),
        "files-user": env.rate("THROTTLE_FILES_USER", "3000/min"),
        "jobs-anon": env.rate("THROTTLE_JOBS_ANON", "30/min"),
        "jobs-user": env.rate("THROTTLE_JOBS_USER", "120/min"),
        "pages-anon": env.rate("THROTTLE_PAGES_ANON", "600/min"),
        "playground-anon": env.rate("THROTTLE_PLAYGROUND_ANON", "60/min"),
        "playground-user": env.rate("THROTTLE_PLAYGROUND_USER", "240/min"),
    },
    # How many proxies of ours stand in front; only so much of X-Forwarded-For is believed.
    "NUM_PROXIES": 0,
    "EXCEPTION_HANDLER": "registry.api.errors.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Bearing",
    "DESCRIPTION": "The registry of steering vectors.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    # Bodies of PATCH say themselves which fields may be left out.
    "COMPONENT_SPLIT_PATCH": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "registry.api.schema.name_patterns",
        "registry.api.examples.with_examples",
    ],
    "ENUM_NAME_OVERRIDES": {
        "RunKindEnum": "registry.runs.models.Run.Kind",
        "NotificationKindEnum": "registry.notifications.models.Kind",
        "NamespaceKindEnum": "registry.accounts.models.Namespace.Kind",
        "RunStateEnum": "registry.runs.states.RunState",
        "VersionStateEnum": "registry.catalog.states.VersionState",
        "UploadStateEnum": "registry.uploads.states.UploadState",
        "UploadMethodEnum": "registry.uploads.states.Method",
        "DomainEnum": "registry.catalog.states.Domain",
        "AccessEnum": "registry.catalog.states.Access",
        "AccessRequestStateEnum": "registry.catalog.states.RequestState",
        "AccessDecisionEnum": "registry.catalog.gating.DECISIONS",
        "ResolvedKindEnum": "registry.catalog.resolving.KINDS",
        "FileAccessStateEnum": "registry.catalog.gating.FILE_STATES",
        "AccessModeEnum": "registry.catalog.states.AccessMode",
        "VerdictEnum": "registry.catalog.states.Verdict",
        "MixModeEnum": "registry.presets.states.MixMode",
        "TierEnum": "steering_core.spec.TIERS",
        "MixTierEnum": "registry.runs.composing.TIERS",
        "MixVerdictEnum": "registry.presets.states.MixVerdict",
        "PresetStateEnum": "registry.presets.states.PresetState",
        "FlagKindEnum": "registry.api.v1.serializers.review.KINDS",
        "FlagReasonEnum": "registry.trust.models.Flag.Reason",
        "FlagUserReasonEnum": "registry.trust.models.Flag.FOR_USERS",
        "FlagStateEnum": "registry.trust.models.Flag.State",
        "FlagOutcomeEnum": "registry.trust.models.Flag.Outcome",
        "RemovalKindEnum": "registry.catalog.states.RemovalKind",
        "DatasetChangeKindEnum": "steering_core.pairs.changes.KINDS",
        "DeliveryStateEnum": "registry.webhooks.models.Delivery.State",
    },
}

# Runs: how long a worker may be silent, and how often the sweeper looks.
RUN_LEASE_SECONDS = env.seconds("RUN_LEASE_SECONDS", 60)
RUN_SWEEP_SECONDS = env.seconds("RUN_SWEEP_SECONDS", 10)
RUN_RING_SECONDS = env.seconds("RUN_RING_SECONDS", 30)
RUN_RETRY_SECONDS = env.seconds("RUN_RETRY_SECONDS", 10)
RUN_TIME_LIMIT_SECONDS = env.seconds("RUN_TIME_LIMIT_SECONDS", 3600)
RUN_MAX_ATTEMPTS = 3
# How many requests in each web process may wait for a run. Each holds a thread: with PLAYGROUND_STREAMS they
# are fewer than the threads that gunicorn is given, which is 32 everywhere.
RUN_WATCHERS = 2
RUN_MAX_QUEUED_PER_USER = 20
# A folder of marker files that make a worker die at a named point; the fault tests use it. Empty: never.
FAULTS_PATH = env.optional("BEARING_FAULTS_PATH", "")

# Playground: tokens that a user, or an address without one, may have written for them, and how many streams
# each web process keeps open; each holds a thread, so this is below the threads that gunicorn is given.
PLAYGROUND_TOKENS_USER = env.rate("PLAYGROUND_TOKENS_USER", "20000/min")
PLAYGROUND_TOKENS_ANON = env.rate("PLAYGROUND_TOKENS_ANON", "6000/min")
PLAYGROUND_STREAMS = 24

# Webhooks: whether they may lead to this machine and to private networks, and without TLS.
WEBHOOK_ALLOW_PRIVATE = env.chosen("WEBHOOK_ALLOW_PRIVATE", "0", ("0", "1")) == "1"
WEBHOOK_SCHEMES = ["https", "http"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"ids": {"()": "registry.core.logging.IdsFilter"}},
    "formatters": {"line": {"()": "registry.core.logging.JsonLineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["ids"]}},
    # Its writer says at INFO which file it writes, at every vector page.
    "loggers": {"gguf": {"level": "WARNING"}},
    "root": {"handlers": ["console"], "level": env.optional("LOG_LEVEL", "INFO")},
}
