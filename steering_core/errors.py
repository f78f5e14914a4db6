"""Every error that steering_core raises on purpose.

SteeringError                 code, message
├── PairsError                dataset.*    a dataset file or its pairs; `row` is 1-based
├── FormatError               format.*     a vector file or its manifest
├── ModelError                model.*      a base model folder that cannot be used
│   └── ModelMismatchError    model.mismatch   right vector, wrong model
├── ExtractionError           extraction.*
├── InjectionError            injection.*
├── EvaluationError           evaluation.*
└── ClientError               talking to a registry; `code` is the registry's own or client.*
    ├── NotFoundError         404, or not in the cache while offline
    │   ├── YankedError       alias.yanked: an alias whose version was withdrawn
    │   └── RemovedError      410 and 451: the operators took it away
    ├── NotAllowedError       401 and 403
    │   ├── GatedError        access.gated; `request_url` is where to ask
    │   └── PaidError         access.purchase_required; `purchase_url` is where to buy
    ├── ConflictError         409 and 412: somebody was faster, or the name is taken
    ├── InvalidError          400, 413 and 422: what was sent cannot be used
    ├── RateLimitedError      429; `retry_seconds` says for how long
    ├── UnreachableError      client.unreachable   nothing answers, or the connection broke each time
    └── VerificationError     what came, or is kept, is not what was promised
        ├── DigestMismatchError   client.digest_mismatch   bytes with another sha256; client.version_changed
        └── LockError             lock.*   what a lock names is not there any more, or the lock is damaged

`code` is a stable dotted id for machines; the message says what came, what was expected and what to do.
"""


class SteeringError(Exception):
    """Base of the tree; `code` is stable, the message is for people."""

    default_code = "steering.error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code


class PairsError(SteeringError):
    """A dataset that cannot be read or used; `row` is the 1-based row at fault, where there is one."""

    default_code = "dataset.invalid"

    def __init__(self, message: str, *, code: str | None = None, row: int | None = None) -> None:
        super().__init__(message if row is None else f"row {row}: {message}", code=code)
        self.row = row


class FormatError(SteeringError):
    """A vector file or manifest that breaks docs/format.md."""

    default_code = "format.invalid"


class ModelError(SteeringError):
    """A base model folder that is incomplete or unsafe to load."""

    default_code = "model.invalid"


class ModelMismatchError(ModelError):
    """A vector made for another base model revision."""

    default_code = "model.mismatch"


class ExtractionError(SteeringError):
    """No direction can be extracted from these pairs on this model."""

    default_code = "extraction.failed"


class InjectionError(SteeringError):
    """A vector cannot be applied to this module as asked."""

    default_code = "injection.failed"


class EvaluationError(SteeringError):
    """A measurement cannot be made."""

    default_code = "evaluation.failed"


class ClientError(SteeringError):
    """The registry refused, or could not be reached."""

    default_code = "client.error"

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message, code=code)
        self.status = status


class NotFoundError(ClientError):
    """No such thing, or it is private and not yours."""

    default_code = "client.not_found"


class NotAllowedError(ClientError):
    """The token is missing, wrong, or lacks the scope."""

    default_code = "client.not_allowed"


class YankedError(NotFoundError):
    """An alias whose version was withdrawn; it works again once its publisher moves it."""

    default_code = "alias.yanked"


class RemovedError(NotFoundError):
    """The operators took it away, for safety or because the law wants it; the message says why."""

    default_code = "removed.safety"


class GatedError(NotAllowedError):
    """The files are for those who were let in; `request_url` is where a POST asks for access."""

    default_code = "access.gated"

    def __init__(
        self, message: str, *, code: str | None = None, status: int | None = None, request_url: str = ""
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.request_url = request_url


class PaidError(NotAllowedError):
    """The files are for those who bought them; `purchase_url` is the page that sells them."""

    default_code = "access.purchase_required"

    def __init__(
        self, message: str, *, code: str | None = None, status: int | None = None, purchase_url: str = ""
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.purchase_url = purchase_url


class ConflictError(ClientError):
    """What is there already stands in the way, or somebody was faster."""

    default_code = "client.conflict"


class InvalidError(ClientError):
    """The registry cannot use what was sent."""

    default_code = "client.invalid"


class RateLimitedError(ClientError):
    """Too many requests; `retry_seconds` is how long to wait, None where time alone does not help."""

    default_code = "request.throttled"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status)
        self.retry_seconds = retry_seconds


class UnreachableError(ClientError):
    """Nothing answers at the endpoint, or the connection broke each time."""

    default_code = "client.unreachable"


class VerificationError(ClientError):
    """What came, or what is kept, is not what was promised."""

    default_code = "client.not_verified"


class DigestMismatchError(VerificationError):
    """Bytes whose sha256 is not the promised one; they were not kept."""

    default_code = "client.digest_mismatch"


class LockError(VerificationError):
    """A lock that is damaged, or names what the registry does not give any more."""

    default_code = "lock.invalid"
