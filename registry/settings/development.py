"""The embedded stack on one's own machine: plain HTTP on loopback."""

from registry.settings import env
from registry.settings.base import *

DEBUG = env.optional("DEBUG", "0") == "1"
# Assets come straight from their folders; nothing is collected.
STATIC_ROOT = None
