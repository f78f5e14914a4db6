"""What a vector does to a model's refusals, and whether its pairs were tampered with.

`references` looks at the vector, `screen` at what the model does with it, `poison` at the pairs;
docs/safety.md says what none of them can promise.
"""

from steering_core.evaluation.evidence import Section
from steering_core.evaluation.safety.poison import poison
from steering_core.evaluation.safety.references import refusal_cosine
from steering_core.evaluation.safety.requests import requests_of
from steering_core.evaluation.safety.screen import screen
from steering_core.evaluation.subject import Findings, Subject, Tell

__all__ = ["measure"]


def measure(subject: Subject, found: Findings, tell: Tell) -> Section:
    """Harmful compliance, over-refusal, cosines with the model's refusal, and the audit of the train pairs.

    Cuts the window that was found to where the vector is not harmful, see `screen`.
    """
    requests = requests_of(subject)
    cosine, cosines = refusal_cosine(subject, requests)
    screened = screen(subject, requests, found.window, tell)
    found.window = screened.window
    poisoned, audited = poison(subject)
    facts = {**screened.facts, "references": cosines, "poison": audited}
    return Section((*screened.metrics, cosine, poisoned), facts)
