"""Take the answers of blind tests."""

from django.db import IntegrityError, transaction

from registry.accounts.models import User
from registry.catalog.models import VectorVersion
from registry.core.errors import ConflictError, InvalidError
from registry.trust.models import BlindAnswer
from registry.trust.selectors import blind_plan


def blind_answer(*, rater: User, version: VectorVersion, number: int, answer: str) -> BlindAnswer:
    """Record the answer to a rater's comparison `number`, from 1.

    Raises:
        NotFoundError: there is nothing to compare.
        InvalidError: no such comparison or answer.
        ConflictError: it was answered before, or is not the next one.
    """
    comparisons = blind_plan(rater=rater, version=version)
    if answer not in BlindAnswer.Answer.values:
        raise InvalidError(
            f"{answer[:20]!r} is no answer; choose one of {', '.join(BlindAnswer.Answer.values)}",
            code="blind.unknown_answer",
        )
    if not 1 <= number <= len(comparisons):
        raise InvalidError(
            f"there is no comparison {number}; they go from 1 to {len(comparisons)}",
            code="blind.unknown_number",
        )
    expected = BlindAnswer.objects.filter(version=version, rater=rater).count() + 1
    if number != expected:
        raise ConflictError(
            f"comparison {number} is not the next one, {expected} is; an answer cannot be taken back",
            code="blind.not_next",
        )
    shown = comparisons[number - 1]
    try:
        with transaction.atomic():
            return BlindAnswer.objects.create(
                version=version,
                rater=rater,
                number=number,
                item=shown.item,
                kind=shown.kind,
                is_left=shown.is_left,
                answer=answer,
            )
    except IntegrityError as error:  # two windows at once
        raise ConflictError(f"comparison {number} is answered already", code="blind.not_next") from error
