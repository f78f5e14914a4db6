"""The bench that mixes of vectors are measured on: each mix once, all new ones as rows of one batch.

A mix is a strength for each member. `cross_effects` and `retention` say which mixes; `compose` runs them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from steering_core.errors import EvaluationError, ModelMismatchError
from steering_core.evaluation.composition.record import MAX_MEMBERS, MIN_MEMBERS, Estimate
from steering_core.evaluation.divergence import dose_curve
from steering_core.evaluation.dose import judge
from steering_core.evaluation.evidence import too_few
from steering_core.evaluation.propensity import propensities
from steering_core.evaluation.response import kept
from steering_core.evaluation.scorer import TraitScorer
from steering_core.evaluation.statistics import ClusterBootstrap, Interval
from steering_core.injection.generate import generate
from steering_core.injection.hooks import steer
from steering_core.models.load import LanguageModel
from steering_core.models.tokens import EncodedPair
from steering_core.spec import Place, Provenance, parse_site_key, site_key
from steering_core.vector import SteeringVector

DEFAULT_STRENGTH = 0.3

Floats = npt.NDArray[np.float64]
Mix = tuple[float, ...]
Tell = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Member:
    """A vector of the set and what measures its trait: a scorer of replies, or pairs with prompts.

    Attributes:
        strength: the one to measure at, + and -; None takes 0.3 or what the window has.
        prompts: where the trait shows, if elsewhere than in the prompts of the set: unsafe ones for refusal.
        pairs: without a scorer, how much likelier the positive answers get is the trait.
        clusters: of the own prompts or of the pairs.
    """

    name: str
    vector: SteeringVector
    scorer: TraitScorer | None = None
    strength: float | None = None
    prompts: tuple[str, ...] = ()
    pairs: tuple[EncodedPair, ...] = ()
    clusters: tuple[str, ...] = ()

    @property
    def window(self) -> Interval:
        """Strengths that it may be given: measured ones, or ±0.3 where none were."""
        return self.vector.window or (-DEFAULT_STRENGTH, DEFAULT_STRENGTH)

    @property
    def at(self) -> float:
        """The strength that it is measured at; not above 0 if the window leaves no room for both signs."""
        low, high = self.window
        return min(DEFAULT_STRENGTH, -low, high) if self.strength is None else self.strength


@dataclass(frozen=True)
class Material:
    """What all members are measured on.

    Attributes:
        prompts: that replies are written to, where members have scorers.
        clusters: one for each prompt.
        texts: token ids of neutral texts, for the divergence; may be empty.
    """

    prompts: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    texts: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured, and with which random numbers.

    Attributes:
        n_orders: random orders in which the vectors are put together.
    """

    max_new_tokens: int = 72
    n_orders: int = 5
    n_resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """Of one mix: scores of each member's items, and the coherence of all replies, or of all answers."""

    scores: tuple[Floats, ...]
    coherence: Floats


class Bench:
    """Members on one model.

    Raises:
        EvaluationError: `evaluation.members`: they cannot be measured together.
        ModelMismatchError: a vector of another model.
    """

    def __init__(
        self, lm: LanguageModel, members: Sequence[Member], material: Material, effort: Effort
    ) -> None:
        _check_members(lm, members, material)
        self.lm, self.members, self.material, self.effort = lm, tuple(members), material, effort
        self._readings: dict[Mix, _Reading] = {}
        self._likelihoods: dict[int, Floats] = {}  # of the unsteered answers, by member
        self._bootstraps: dict[tuple[str, ...], ClusterBootstrap] = {}

    @cached_property
    def cosines(self) -> Floats:
        """(n_members, n_members), between what the vectors add to the residual stream over all places."""
        vectors = [member.vector for member in self.members]
        added = np.array([sum(v.addition(1.0, key) for key in v.directions) for v in vectors], np.float64)
        units = added / np.maximum(np.linalg.norm(added, axis=1, keepdims=True), np.finfo(np.float64).tiny)
        found: Floats = units @ units.T
        return found

    @property
    def zero(self) -> Mix:
        """No vector at all."""
        return (0.0,) * len(self.members)

    @property
    def mixes(self) -> list[Mix]:
        """All that were measured."""
        return list(self._readings)

    @property
    def kept(self) -> float:
        """The share of coherence that has to be kept."""
        return kept(next((member.scorer.name for member in self.members if member.scorer), "log_prob"))

    def mix(self, names: Iterable[str], scale: float = 1.0) -> Mix:
        """These members at `scale` times their strengths, the others at 0."""
        chosen = set(names)
        return tuple(scale * member.at if member.name in chosen else 0.0 for member in self.members)

    def measure(self, mixes: Iterable[Mix], tell: Tell) -> None:
        """Measure those that were not measured yet, the unsteered model before all."""
        new = [mix for mix in dict.fromkeys((self.zero, *mixes)) if mix not in self._readings]
        if not new:
            return
        scores: dict[int, Floats] = {}
        coherence: list[Floats] = []
        asked = self._asked()
        for number, (prompts, scored) in enumerate(asked.items()):
            texts = self._replies(prompts, new, _share(tell, number, len(asked)))
            scorers = {j: self._scorer(j) for j in scored}
            scores |= {j: judge(scorer.score, prompts, texts) for j, scorer in scorers.items()}
            coherence.append(judge(scorers[scored[0]].coherence, prompts, texts))
        for j in (j for j, member in enumerate(self.members) if member.scorer is None):
            scores[j], likelihoods = self._preferences(j, new)
            unsteered = self._likelihoods.setdefault(j, likelihoods[:, 0])
            if not asked:
                coherence.append(np.exp(np.minimum(0.0, likelihoods - unsteered[:, None])))
        for column, mix in enumerate(new):
            own = tuple(scores[j][:, column] for j in range(len(self.members)))
            self._readings[mix] = _Reading(own, np.concatenate([whole[:, column] for whole in coherence]))
        tell(1.0)

    def scores(self, mix: Mix, j: int) -> Floats:
        """The trait of member j on each of its items."""
        return self._readings[mix].scores[j]

    def change(self, j: int, before: Mix, after: Mix) -> Floats:
        """By how much the trait of member j differs between two mixes, item by item."""
        return self.scores(after, j) - self.scores(before, j)

    def mean(self, j: int, values: Floats) -> Estimate:
        """Of values of member j's items."""
        return self._estimate(self._clusters(j), values)

    def ratio(self, j: int, top: Floats, bottom: Floats) -> Estimate | None:
        """Of the means over member j's items; None where the lower one is not shown to be above 0."""
        below = self.mean(j, bottom)
        if below.value <= 0 or (below.low is not None and below.low <= 0):
            return None
        return self._ratio(self._clusters(j), top, bottom)

    def coherence(self, mix: Mix) -> Estimate:
        """Over that of the unsteered model."""
        clusters = [c for prompts in self._asked() for c in self._prompt_clusters(prompts)]
        if not clusters:
            clusters = [c for member in self.members for c in member.clusters]
        top, bottom = (self._readings[one].coherence for one in (mix, self.zero))
        if not bottom.any():
            raise _refused("without steering every reply is broken, so nothing can be compared with it")
        return self._ratio(tuple(clusters), top, bottom)

    def nats(self, mix: Mix) -> float | None:
        """The 95th percentile of the tokens' divergence on the neutral texts; None without any."""
        vector = self._sum(mix)
        if vector is None:
            return 0.0
        curve = dose_curve(self.lm, self.material.texts, vector, (1.0,))
        return curve[0][1] if curve else None

    def dose(self, mix: Mix) -> float:
        """The squared norm of all that the mix adds, in residual norms; the squares of the strengths add up
        where the vectors are at right angles.
        """
        # Nine decimals, so that equal mixes have equal doses.
        return round(float(np.array(mix) @ self.cosines @ np.array(mix)), 9)

    def n_items(self, j: int) -> tuple[int, int]:
        """How many items and clusters stand behind the trait of member j."""
        clusters = self._clusters(j)
        return len(clusters), len(set(clusters))

    def _asked(self) -> dict[tuple[str, ...], list[int]]:
        """Sets of prompts, and the members whose scorers read the replies to them."""
        asked: dict[tuple[str, ...], list[int]] = {}
        for j, member in enumerate(self.members):
            if member.scorer:
                asked.setdefault(member.prompts or self.material.prompts, []).append(j)
        return asked

    def _scorer(self, j: int) -> TraitScorer:
        scorer = self.members[j].scorer
        assert scorer is not None
        return scorer

    def _prompt_clusters(self, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if prompts == self.material.prompts:
            return self.material.clusters
        return next(member.clusters for member in self.members if member.prompts == prompts)

    def _clusters(self, j: int) -> tuple[str, ...]:
        return self.members[j].clusters or self.material.clusters

    def _replies(self, prompts: tuple[str, ...], mixes: Sequence[Mix], tell: Tell) -> list[list[str]]:
        """One per prompt and mix; the replies to one prompt share their random numbers."""
        n, strengths = len(mixes), np.array(mixes)
        additions = {
            place: torch.from_numpy((strengths @ units).astype(np.float32)).repeat(len(prompts), 1)
            for place, units in self._units().items()
        }
        rows = [prompt for prompt in prompts for _ in range(n)]
        effort = self.effort
        texts = generate(
            self.lm,
            rows,
            additions=additions,
            max_new_tokens=effort.max_new_tokens,
            seed=effort.seed,
            progress=tell,
        )
        return [texts[i * n : (i + 1) * n] for i in range(len(prompts))]

    def _units(self) -> dict[Place, Floats]:
        """What strength 1 of each member adds at each place, (n_members, d_model)."""
        units: dict[Place, Floats] = {}
        for j, member in enumerate(self.members):
            for key in member.vector.directions:
                at = units.setdefault(
                    parse_site_key(key), np.zeros((len(self.members), self.lm.identity.d_model))
                )
                at[j] = member.vector.addition(1.0, key)
        return units

    def _preferences(self, j: int, mixes: Sequence[Mix]) -> tuple[Floats, Floats]:
        """(n_pairs, n_mixes): preference for the positive answer, and the mean log-probability of both."""
        pairs, place = self.members[j].pairs, parse_site_key(next(iter(self.members[j].vector.directions)))
        nothing = np.zeros((1, self.lm.identity.d_model), dtype=np.float32)
        found = []
        for mix in mixes:
            vector = self._sum(mix)
            with steer(self.lm, [(vector, 1.0)] if vector else []):
                found.append(propensities(self.lm, pairs, place, nothing))
        positive, negative = (
            np.concatenate([getattr(one, p) for one in found], 1) for p in ("positive", "negative")
        )
        return positive - negative, (positive + negative) / 2

    def _sum(self, mix: Mix) -> SteeringVector | None:
        """The mix as one vector, of which strength 1 is all that it adds; None where it adds nothing."""
        added = {site_key(*place): np.array(mix) @ units for place, units in self._units().items()}
        norms = {key: float(np.linalg.norm(one)) for key, one in added.items() if one.any()}
        if not norms:
            return None
        return SteeringVector(
            model=self.lm.identity,
            directions={key: added[key].astype(np.float32) for key in norms},
            residual_norms=norms,
            provenance=Provenance("sum", "mixed", "", "", ""),
        )

    def _estimate(self, clusters: tuple[str, ...], values: Floats) -> Estimate:
        value = float(values.mean())
        if too_few(clusters):
            return Estimate(value)
        if clusters not in self._bootstraps:
            effort = self.effort
            self._bootstraps[clusters] = ClusterBootstrap(clusters, effort.n_resamples, effort.seed)
        return Estimate(value, *self._bootstraps[clusters].mean(values))

    def _ratio(self, clusters: tuple[str, ...], top: Floats, bottom: Floats) -> Estimate:
        """Ratio of two means over the same items; the interval is that of its linear part in both means."""
        value = float(top.mean() / bottom.mean())
        around = self._estimate(clusters, value + (top - value * bottom) / bottom.mean())
        return Estimate(value, around.low, around.high)


def _check_members(lm: LanguageModel, members: Sequence[Member], material: Material) -> None:
    names = [member.name for member in members]
    if not MIN_MEMBERS <= len(names) <= MAX_MEMBERS or len(set(names)) != len(names):
        raise _refused(f"expected {MIN_MEMBERS} to {MAX_MEMBERS} vectors, each with a name of its own")
    if len(material.prompts) != len(material.clusters):
        raise _refused(
            f"{len(material.prompts)} prompts and {len(material.clusters)} clusters; give one each"
        )
    for member in members:
        _check_member(lm, member, material)


def _check_member(lm: LanguageModel, member: Member, material: Material) -> None:
    vector, (low, high) = member.vector, member.window
    if vector.model.model_hash != lm.identity.model_hash:
        raise ModelMismatchError(
            f"{member.name} is for {vector.model.name} ({vector.model.model_hash}), and this is "
            f"{lm.identity.name} ({lm.identity.model_hash}); take vectors of this model"
        )
    if vector.operation != "add":
        raise _refused(f"{member.name} is a vector to {vector.operation}; only additions are composed")
    if not (low <= -member.at < 0 < member.at <= high):
        raise _refused(
            f"{member.name} would be measured at ±{member.at:g}, and its window is {low:g} to {high:g}; "
            "choose a strength above 0 that is within it on both sides"
        )
    items = (member.prompts or material.prompts) if member.scorer else member.pairs
    if not items or len(items) != len(member.clusters or material.clusters):
        raise _refused(
            f"{member.name} has {len(items)} items to measure its trait on; give prompts with a scorer or "
            "pairs with prompts, and a cluster for each"
        )


def _share(tell: Tell, number: int, total: int) -> Tell:
    return lambda fraction: tell((number + fraction) / total)


def _refused(message: str) -> EvaluationError:
    return EvaluationError(message, code="evaluation.members")
