"""Members of a mix whose trait is how much likelier the positive answers of pairs get."""

from collections.abc import Sequence

from steering_core.errors import EvaluationError
from steering_core.evaluation.composition.bench import Member
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import encode_pair
from steering_core.pairs.pair import ContrastivePair
from steering_core.pairs.usable import group_name
from steering_core.vector import SteeringVector


def member_of_pairs(
    lm: LanguageModel,
    name: str,
    vector: SteeringVector,
    pairs: Sequence[ContrastivePair],
    *,
    strength: float | None = None,
    most: int,
) -> Member:
    """A vector with up to `most` of these pairs, which it was not made of.

    Raises:
        EvaluationError: `evaluation.members`: no pair with a prompt fits into the model.
    """
    encoded = [(pair, encode_pair(lm, pair)) for pair in pairs if pair.prompt]
    fitting = [
        (one, group_name(pair))
        for pair, one in encoded
        if max(len(one.positive), len(one.negative)) <= lm.max_positions
    ][:most]
    if not fitting:
        raise EvaluationError(
            f"no test pair of {name} with a prompt fits into the model, so it cannot be measured; give pairs "
            "with prompts",
            code="evaluation.members",
        )
    kept, clusters = zip(*fitting, strict=True)
    return Member(name, vector, strength=strength, pairs=kept, clusters=clusters)
