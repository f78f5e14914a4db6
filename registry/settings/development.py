"""The embedded stack on one's own machine: plain HTTP on loopback."""

from registry.settings import env
from registry.settings.base import *

DEBUG = env.optional("DEBUG", "0") == "1"
# Browsers take http://localhost for a safe origin, so security keys work there.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True
# Assets come straight from their folders; nothing is collected.
STATIC_ROOT = None
# Receivers are tried on the same machine.
WEBHOOK_ALLOW_PRIVATE = env.chosen("WEBHOOK_ALLOW_PRIVATE", "1", ("0", "1")) == "1"
SHOW_STYLEGUIDE = True
