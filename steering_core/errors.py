"""Every error that steering_core raises on purpose.

SteeringError                 code, message
├── PairsError                dataset.*    a dataset file or its pairs; `row` is 1-based
├── FormatError               format.*     a vector file or its manifest
├── ModelError                model.*      a base model folder that cannot be used
│   └── ModelMismatchError    model.mismatch   right vector, wrong model
├── ExtractionError           extraction.*
├── InjectionError            injection.*
├── EvaluationError           evaluation.*
└── ClientError               client.*     talking to a registry; `status` is the HTTP status
    ├── NotFoundError
    ├── NotAllowedError
    └── DigestMismatchError   client.digest_mismatch   the bytes are not what was promised

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


class DigestMismatchError(ClientError):
    """Bytes whose sha256 is not the promised one; they were not kept."""

    default_code = "client.digest_mismatch"
