"""Every error that the service raises on purpose.

RegistryError(code, http_status, message, fields)
├── NotAuthenticatedError  401   a token that is not valid any more, or never was
├── NotFoundError          404   unknown, or private and not yours
│   └── RemovedError       410   taken away by the operators
│       └── LegallyRemovedError  451   because the law wants it
├── NotAllowedError        403   you may see it but not do this
├── ConflictError          409   what is there already stands in the way
│   └── IllegalTransitionError   a state that may not follow the present one
├── InvalidError           422   what was sent cannot be used
├── QuotaExceededError     429
└── UnavailableError       503   a part of the platform is out of reach; try again

`code` is a stable dotted id; the message says what came, what was expected and what to do. One handler in
`registry.api.errors` and one in `registry.web` turn these into answers.
"""

from collections.abc import Mapping


class RegistryError(Exception):
    """Base of the tree; `members` are further ones of the problem (RFC 9457, 3.2) for this code."""

    http_status = 500
    default_code = "registry.error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        fields: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.fields = dict(fields or {})
        self.members = dict(members or {})


class NotFoundError(RegistryError):
    """Unknown, or private and not yours: the two must look the same."""

    http_status = 404
    default_code = "not_found"


class RemovedError(NotFoundError):
    """Taken away by the operators for the safety of others; the message says why. The name stays taken."""

    http_status = 410
    default_code = "removed.safety"


class LegallyRemovedError(RemovedError):
    """Taken away because the law wants it."""

    http_status = 451
    default_code = "removed.legal"


class NotAuthenticatedError(RegistryError):
    """Who asks could not be told: the token is wrong, expired or revoked."""

    http_status = 401
    default_code = "not_authenticated"


class NotAllowedError(RegistryError):
    """Visible, but not yours to change."""

    http_status = 403
    default_code = "not_allowed"


class ConflictError(RegistryError):
    """What is there already stands in the way."""

    http_status = 409
    default_code = "conflict"


class IllegalTransitionError(ConflictError):
    """The row was not in the state that this change starts from."""

    default_code = "state.illegal_transition"


class InvalidError(RegistryError):
    """What was sent cannot be used."""

    http_status = 422
    default_code = "invalid"


class QuotaExceededError(RegistryError):
    """Too many at once; wait for one to end."""

    http_status = 429
    default_code = "quota_exceeded"


class UnavailableError(RegistryError):
    """A part of the platform is out of reach; the request may be repeated."""

    http_status = 503
    default_code = "unavailable"
