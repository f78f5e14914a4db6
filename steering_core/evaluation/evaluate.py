"""Measures one vector: goes through the families of its tier, counts what each costs, sums up.

`pipeline` calls it for a vector that was just extracted; call it for any other with a `Subject` of your own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from steering_core.evaluation.cost import Cost, counted
from steering_core.evaluation.evidence import Metric, Section, Verdict
from steering_core.evaluation.families import Family, families_of
from steering_core.evaluation.gates import GateVerdict, gate_verdicts, grade, worst
from steering_core.evaluation.interim import Interim, family_facts, unheard
from steering_core.evaluation.subject import Findings, Subject

# Told (stage, fraction of the whole, message).
Progress = Callable[[str, float, str], None]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was found of one subject.

    Attributes:
        costs: by family.
    """

    subject: Subject
    findings: Findings
    costs: dict[str, Cost]

    @property
    def metrics(self) -> list[Metric]:
        """Of all families, in order."""
        return [metric for section in self.findings.sections.values() for metric in section.metrics]

    @property
    def gates(self) -> list[GateVerdict]:
        """A verdict for each gate."""
        return gate_verdicts(self.metrics)

    @property
    def verdict(self) -> Verdict:
        """That of the worst gate."""
        return worst([gate.verdict for gate in self.gates])

    @property
    def grade(self) -> str:
        """A, B, C or F, see `gates.grade`."""
        return grade(self.gates, self.subject.tier)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of a tier is measured; anything but the whole is for benchmarks, and gives no whole report.

    Attributes:
        families: names of those wanted; empty for all.
        verdict_only: leave out what no gate rests on, and stop once a gate fails. The verdict is that of the
            whole, since the worst gate gives it.
    """

    families: tuple[str, ...] = ()
    verdict_only: bool = False

    def takes(self, family: Family) -> bool:
        """Whether a family is measured."""
        wanted = not self.families or family.name in self.families
        return wanted and (family.decides or not self.verdict_only)


WHOLE = Plan()


def evaluate(
    subject: Subject, progress: Progress, plan: Plan = WHOLE, interim: Interim = unheard
) -> Evaluation:
    """Measure everything that the tier includes.

    Args:
        progress: what it raises passes through and ends the run.
        interim: told what each family found, see `interim`.
    """
    families = [family for family in families_of(subject.tier) if plan.takes(family)]
    total, done = sum(family.weight for family in families), 0.0
    findings, costs = Findings(), dict[str, Cost]()
    for family in families:
        start, share = done / total, family.weight / total

        def tell(
            fraction: float, name: str = family.name, said: str = family.message,
            start: float = start, share: float = share,
        ) -> None:  # fmt: skip
            progress(name, start + share * fraction, said)

        tell(0.0)
        with counted(subject.lm) as cost:
            findings.sections[family.name] = family.measure(subject, findings, tell)
        costs[family.name] = cost
        told = family_facts(family.name, findings.sections[family.name])
        interim(f"Measured: {family.name.replace('_', ' ')}", told)
        done += family.weight
        if plan.verdict_only and _has_failed(findings.sections[family.name]):
            break
    return Evaluation(subject, findings, costs)


def _has_failed(section: Section) -> bool:
    return any(metric.definition.gate and metric.verdict == "fail" for metric in section.metrics)
