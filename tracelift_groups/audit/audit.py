"""Can something cheap tell sound from flawed? Probes, structure, limits, and what comes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelift_groups.audit.cheap import FOLDS, PROBES, Scores, Traces, traces_of
from tracelift_groups.audit.limits import DomainLimits
from tracelift_groups.audit.places import THIRDS, places_of
from tracelift_groups.audit.structure import (
    Finding,
    balance,
    certificates,
    duplicate_problems,
    duplicate_texts,
    evaluation_overlap,
    split_leakage,
)
from tracelift_groups.audit.tokens import TokenTable
from tracelift_groups.errors import UserError
from tracelift_groups.records import Group
from tracelift_groups.rm.metrics import Estimate, Wins, pair_wins, ratio

SINGLE_TOKEN, POSITION = "single_token", "position"
PROBED_GROUPS = 1500
"""Probes hold features of all traces in memory; of a larger set a seeded sample is probed."""


class Figure(NamedTuple):
    """What one probe found.

    Attributes:
        overall: Share of (sound, flawed) pairs of a group that it orders, ties counting half; of
            ``position`` the share of flaws in one third of their trace.
        by_kind: The same for each kind.
        note: What it found, such as the token.
        notes: The same for each kind.
    """

    overall: Estimate
    by_kind: dict[str, Estimate]
    note: str = ""
    notes: Mapping[str, str] = {}


@dataclass
class Report:
    """The outcome of an audit.

    Attributes:
        domain: Of the groups.
        probes: By name.
        findings: Structural checks.
        balance: How labels are spread.
        probed: Groups that the probes looked at.
        failures: What is over a limit, a line each.
    """

    domain: str
    probes: dict[str, Figure]
    findings: list[Finding]
    balance: dict[str, Any]
    probed: int
    limits: DomainLimits
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing is over its limit."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "passed": self.passed,
            "failures": self.failures,
            "domain": self.domain,
            "probed_groups": self.probed,
            "probes": {
                name: {
                    "overall": _rounded(one.overall),
                    "by_kind": {kind: _rounded(est) for kind, est in one.by_kind.items()},
                    "limit": self.limits.overall.get(name),
                    **({"note": one.note} if one.note else {}),
                    **({"notes": dict(one.notes)} if one.notes else {}),
                }
                for name, one in self.probes.items()
            },
            "structure": {
                one.name: {"found": one.found, "of": one.checked, "examples": one.examples}
                for one in self.findings
            },
            "balance": self.balance,
        }

    def to_markdown(self) -> str:
        """A section for the dataset card."""
        kinds = sorted({kind for one in self.probes.values() for kind in one.by_kind})
        lines = [
            "## Audit",
            "",
            f"{'Passed' if self.passed else '**Failed**'}. Share of (sound, flawed) pairs of a "
            "group that a cheap score orders the right way; 0.5 is chance, "
            f"brackets are 95 % intervals ({self.probed} groups).",
            "",
            f"| probe | all | limit | {' | '.join(kinds)} |",
            f"|---|---|---|{'---|' * len(kinds)}",
        ]
        for name, one in self.probes.items():
            limit = self.limits.overall.get(name)
            cells = [
                f"{one.by_kind[kind].value:.2f}" if kind in one.by_kind else "" for kind in kinds
            ]
            note = f" {one.note}" if one.note else ""
            shown = "" if limit is None else f"{limit:.2f}"
            row = [f"{name.replace('_', ' ')}{note}", _shown(one.overall), shown, *cells]
            lines.append(f"| {' | '.join(row)} |")
        lines += ["", "| check | found | of |", "|---|---|---|"]
        lines += [
            f"| {one.name.replace('_', ' ')} | {one.found} | {one.checked} |"
            for one in self.findings
        ]
        if self.failures:
            lines += ["", "Over the limit:", "", *(f"- {line}" for line in self.failures)]
        return "\n".join([*lines, ""])


def audit(
    groups: Sequence[Group],
    limits: Mapping[str, DomainLimits],
    *,
    seed: int = 0,
    against: Sequence[Path] = (),
    recheck: int | None = 0,
    on_step: Callable[[str], None] = lambda step: None,
) -> Report:
    """Audit groups of one domain.

    Args:
        groups: The groups.
        limits: By domain.
        seed: Of the samples.
        against: Evaluation files that no problem may repeat.
        recheck: Groups whose certificates are derived again; None for all, 0 for none.
        on_step: Told what is looked at.

    Raises:
        UserError: No groups, two domains, or a domain without limits.
    """
    domains = sorted({group.domain for group in groups})
    if len(domains) != 1:
        what = "there are no groups" if not domains else f"groups of {' and '.join(domains)}"
        raise UserError(what, way_out="audit one domain at a time")
    if domains[0] not in limits:
        raise UserError(f"no limits for {domains[0]}", way_out="add them to the limits' file")
    probed = list(groups)
    if len(probed) > PROBED_GROUPS:
        numbers = sorted(Random(f"{seed}:audit").sample(range(len(probed)), PROBED_GROUPS))
        probed = [probed[number] for number in numbers]
    probes = _probes(traces_of(probed), on_step) if len(probed) >= FOLDS else {}
    on_step("structure")
    findings = [duplicate_texts(groups), duplicate_problems(groups), split_leakage(groups)]
    if against:
        findings.append(evaluation_overlap(groups, against))
    if recheck != 0:
        on_step("certificates")
        findings.append(certificates(groups, recheck, seed))
    limit = limits[domains[0]]
    report = Report(domains[0], probes, findings, balance(groups), len(probed), limit)
    report.failures = [*_over(probes, limit), *map(_found, filter(lambda one: one.found, findings))]
    return report


def _probes(traces: Traces, on_step: Callable[[str], None]) -> dict[str, Figure]:
    found = {}
    for name, probe in PROBES.items():
        on_step(name)
        found[name] = _figure(traces, probe(traces))
    on_step(POSITION)
    found[POSITION] = _position(traces)
    on_step(SINGLE_TOKEN)
    table = TokenTable(traces)
    best = table.strongest()
    kinds = sorted({kind for kind in traces.kinds if kind})
    by_kind = {kind: table.strongest(kind) for kind in kinds}
    found[SINGLE_TOKEN] = Figure(
        _figure(traces, best.score_N).overall,
        {kind: _figure(traces, one.score_N).by_kind[kind] for kind, one in by_kind.items()},
        _named(best.token, sound=best.sound),
        {kind: _named(one.token, sound=one.sound) for kind, one in by_kind.items()},
    )
    return found


def _position(traces: Traces) -> Figure:
    """The share of flaws that lie in the fullest third of their trace."""
    places = places_of(traces)

    def share(chosen: NDArray[np.bool_]) -> tuple[Estimate, int]:
        third = places.fullest(chosen)
        there = (places.third_N[chosen] == third).astype(np.float64)
        return ratio(Wins(there, np.ones(len(there))), traces.group_N[chosen]), third

    overall, third = share(~traces.sound_N)
    kinds = np.array([kind or "" for kind in traces.kinds])
    by_kind = {str(kind): share(kinds == kind) for kind in sorted(set(kinds) - {""})}
    return Figure(
        overall,
        {kind: estimate for kind, (estimate, _) in by_kind.items()},
        f"of the flaws in the {THIRDS[third]} third",
        {kind: f"in the {THIRDS[own]} third" for kind, (_, own) in by_kind.items()},
    )


def _named(token: str, *, sound: bool) -> str:
    return f"'{token}' in {'sound' if sound else 'flawed'} traces"


def _figure(traces: Traces, score_N: Scores) -> Figure:
    wins = pair_wins(score_N, traces.sound_N, traces.group_N)
    kinds = np.array([kind or "" for kind in traces.kinds])
    by_kind = {}
    for kind in sorted(set(kinds) - {""}):
        chosen = kinds == kind
        part = Wins(wins.won_N[chosen], wins.of_N[chosen])
        by_kind[str(kind)] = ratio(part, traces.group_N[chosen])
    return Figure(ratio(wins, traces.group_N), by_kind)


def _over(probes: Mapping[str, Figure], limits: DomainLimits) -> list[str]:
    """What is over a limit with its whole interval, on either side of chance."""
    lines = []
    for name, one in probes.items():
        note = f" ({one.note})" if one.note else ""
        limit = limits.overall.get(name)
        if limit is not None and _beyond(one.overall, limit):
            lines.append(f"{name}{note}: {_shown(one.overall)} over all kinds, limit {limit:.2f}")
        limit = limits.by_kind.get(name)
        excepted = limits.excepted.get(name, {})
        for kind, estimate in one.by_kind.items():
            if limit is not None and kind not in excepted and _beyond(estimate, limit):
                what = f" ({one.notes[kind]})" if kind in one.notes else ""
                lines.append(f"{name}{what}: {_shown(estimate)} for {kind}, limit {limit:.2f}")
    return lines


def _beyond(estimate: Estimate, limit: float) -> bool:
    return estimate.low > limit or estimate.high < 1 - limit


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} {estimate.high:.3f})"


def _found(one: Finding) -> str:
    return f"{one.name}: {one.found} of {one.checked}, such as {one.examples[0]}"


def _rounded(estimate: Estimate) -> list[float]:
    return [round(float(part), 4) for part in estimate]
