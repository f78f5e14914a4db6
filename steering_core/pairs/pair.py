"""A contrastive pair, and a file of them as it was read. `readers` makes these, `checks` judges them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContrastivePair:
    """Two texts that differ in one trait; `positive` shows it.

    Without a prompt the texts themselves are the user turn. `group` names what must stay in one split
    (a topic, a template); `domain` is what the pair is about, for reports.
    """

    positive: str
    negative: str
    prompt: str = ""
    group: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class PairFile:
    """What a reader made of a file: the form that it recognised, and the pairs in file order."""

    format: str
    pairs: tuple[ContrastivePair, ...]
