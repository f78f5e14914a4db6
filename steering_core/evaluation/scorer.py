"""What a trait scorer is: two functions that read a reply and know nothing of vectors.

The scorers that exist are in `steering_core.demo.scoring`; `pipeline` is the one that calls them.
"""

from collections.abc import Callable
from dataclasses import dataclass

Score = Callable[[str, str], float]


@dataclass(frozen=True)
class TraitScorer:
    """How much of a trait a reply has, and whether it is still language.

    Attributes:
        name: a stable id, `demo:formality`.
        label: the trait in one word or two, for people.
        negative_pole: what a score of -1 means.
        positive_pole: what a score of +1 means.
        score: (prompt, reply) -> [-1, 1].
        coherence: (prompt, reply) -> [0, 1]; 1 is a reply without a fault.
        instructions: (negative, positive) system texts that ask for the poles, the best of them is the
            prompting baseline.
    """

    name: str
    label: str
    negative_pole: str
    positive_pole: str
    score: Score
    coherence: Score
    instructions: tuple[tuple[str, str], ...] = ()
