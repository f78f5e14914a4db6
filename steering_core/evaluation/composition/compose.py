"""Measures a set of vectors together: who disturbs whom, how many the set can carry, strengths for a wish.

`bench` runs the model; what is found is a `record.Composition`, which presets store.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from steering_core.evaluation.composition import cross_effects, retention
from steering_core.evaluation.composition.bench import Bench, Effort, Material, Member, Tell
from steering_core.evaluation.composition.budget import fit_budget
from steering_core.evaluation.composition.lowdin import orthogonal
from steering_core.evaluation.composition.record import (
    Budget,
    Composition,
    Curve,
    MemberRecord,
    Mode,
    Point,
    Solution,
)
from steering_core.evaluation.composition.solver import check_wanted, predict, solve
from steering_core.evaluation.cost import counted
from steering_core.models.load import LanguageModel

# Told (fraction of the whole, message).
Progress = Callable[[float, str], None]


def compose(
    lm: LanguageModel,
    members: Sequence[Member],
    material: Material,
    effort: Effort | None = None,
    *,
    wanted: Mapping[str, float] | None = None,
    strengths: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> Composition:
    """Measure two to twelve vectors of one model together, each at its own place.

    Args:
        material: held-out prompts and neutral texts that are nobody's training data.
        wanted: changes of traits from the unsteered model, by member: strengths for them are found and
            measured.
        strengths: in place of `wanted`, the strengths of a mix, by member: what they do is measured.
        progress: what it raises passes through and ends the run.

    Raises:
        EvaluationError: `evaluation.members`: they cannot be measured together; `evaluation.wanted`.
        ModelMismatchError: a vector of another model.
    """
    bench = Bench(lm, members, material, effort or Effort())
    if wanted:
        check_wanted(wanted, _names(bench))
    elif strengths:
        check_wanted(strengths, _names(bench))
    tell = progress or (lambda fraction, message: None)
    with counted(lm) as cost:
        bench.measure(cross_effects.cross_mixes(bench), _part(tell, 0.0, 0.3, "Each vector, and every two"))
        curves, budget = _curves(bench, tell)
        composition = Composition(
            model_hash=lm.identity.model_hash,
            model=lm.identity.name,
            members=tuple(_record(bench, j) for j in range(len(members))),
            cosines=tuple(tuple(map(float, row)) for row in bench.cosines),
            effects=cross_effects.effects(bench),
            relative=cross_effects.relative_effects(bench),
            interactions=cross_effects.interactions(bench),
            curves=curves,
            budget=budget,
            seed=bench.effort.seed,
            cost={},
        )
        if wanted:
            said = _part(tell, 0.95, 0.05, "The strengths that were found")
            composition = replace(composition, solution=measured(bench, solve(wanted, composition), said))
        elif strengths:
            said = _part(tell, 0.95, 0.05, "The strengths of the mix")
            chosen = predict(strengths, composition)
            composition = replace(composition, solution=measured(bench, chosen, said))
    return replace(composition, cost={name: float(value) for name, value in cost.to_json().items()})


def measured(bench: Bench, solution: Solution, tell: Tell) -> Solution:
    """A solution with what its strengths really do, together and one by one."""
    mix, members = solution.strengths, range(len(bench.members))
    single = [tuple(strength if i == j else 0.0 for i, strength in enumerate(mix)) for j in members]
    bench.measure([mix, *single], tell)
    return replace(
        solution,
        measured=tuple(bench.mean(j, bench.change(j, bench.zero, mix)) for j in members),
        alone=tuple(bench.mean(j, bench.change(j, bench.zero, single[j])) for j in members),
        coherence=bench.coherence(mix),
        nats=bench.nats(mix),
    )


def _curves(bench: Bench, tell: Progress) -> tuple[tuple[Curve, ...], Budget]:
    """The greedy order in every mode, the worst of random orders, and the budget behind all of them."""
    chain = retention.greedy_chain(bench, _part(tell, 0.3, 0.25, "Adding up those that go together"))
    orders = retention.random_orders(_names(bench), bench.effort.n_orders, bench.effort.seed)
    tried = dict.fromkeys([*chain, *(on for order in orders for on in retention.prefixes(bench, order))])
    scaled = [(on, retention.scale_of("equal_dose", len(on))) for on in chain]
    plans = [*((on, 1.0) for on in tried), *scaled]
    mixes = [mix for on, scale in plans for mix in retention.both_signs(bench, on, scale)]
    bench.measure(mixes, _part(tell, 0.55, 0.25, "Adding them up in random orders, and at equal dose"))
    budget = fit_budget(
        [bench.dose(mix) for mix in bench.mixes],
        [bench.coherence(mix).value for mix in bench.mixes],
        bench.kept,
    )
    modes: dict[Mode, list[Point]] = {
        "sum": [retention.point(bench, on, 1.0, bench) for on in chain],
        "equal_dose": [retention.point(bench, on, scale, bench) for on, scale in scaled],
    }
    if turned := _orthogonal_points(bench, chain, _part(tell, 0.8, 0.15, "The same at right angles")):
        modes["lowdin"] = turned
    curves = [retention.curve(mode, "greedy", points, budget) for mode, points in modes.items()]
    sizes = ([on for on in tried if len(on) == k] for k in range(1, len(chain) + 1))
    worst = [min(sets, key=lambda on: retention.margin(bench, on)) for sets in sizes]
    points = [retention.point(bench, on, 1.0, bench) for on in worst]
    return (*curves, retention.curve("sum", "worst", points, budget)), budget


def _orthogonal_points(bench: Bench, chain: Sequence[retention.Names], tell: Tell) -> list[Point]:
    """The greedy order with directions at right angles; empty where there is no such set."""
    members = orthogonal(bench.members)
    if members is None:
        return []
    turned = Bench(bench.lm, members, bench.material, bench.effort)
    turned.measure([mix for on in chain for mix in retention.both_signs(turned, on, 1.0)], tell)
    return [retention.point(turned, on, 1.0, bench) for on in chain]


def _record(bench: Bench, j: int) -> MemberRecord:
    member = bench.members[j]
    return MemberRecord(
        member.name,
        member.vector.tensor_digest,
        tuple(member.vector.directions),
        member.at,
        member.window,
        member.scorer.name if member.scorer else "log_prob",
        *bench.n_items(j),
        unsteered=bench.mean(j, bench.scores(bench.zero, j)),
    )


def _names(bench: Bench) -> tuple[str, ...]:
    return tuple(member.name for member in bench.members)


def _part(tell: Progress, start: float, share: float, message: str) -> Tell:
    return lambda fraction: tell(start + share * fraction, message)
