"""The collections of the catalog: what stands on each shelf, in one line."""

from collections.abc import Mapping

from registry.catalog.states import Domain

SHELVES: Mapping[str, str] = {
    Domain.TONE: "How it sounds: formal or casual, warm or cool, plain or playful.",
    Domain.VERBOSITY: "How much it says: terse answers, or every step spelled out.",
    Domain.CONFIDENCE: "How sure it sounds: hedging less, or admitting doubt more.",
    Domain.MOOD: "The bright side or the sober one: sentiment and optimism.",
    Domain.HONESTY: "Less flattery and fewer convenient answers.",
    Domain.PERSONA: "Who is speaking: roles, characters and voices.",
    Domain.SAFETY: "Refusing what does harm, and not what does none.",
    Domain.SUPPORT: "Patient, correct and brief replies to customers.",
    Domain.LEGAL: "Careful wording, with its conditions and its limits.",
    Domain.MEDICAL: "Calm, careful language about health. No vector makes advice correct.",
    Domain.EDUCATION: "Explaining, asking back, and showing the way instead of the answer.",
    Domain.CODING: "How code is written, and how it is talked about.",
    Domain.OTHER: "What fits on no other shelf.",
}
