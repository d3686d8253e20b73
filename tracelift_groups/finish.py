"""The last step of a build: Parquet, rejections, card and, last, the manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tracelift_groups import store
from tracelift_groups.audit.probes import (
    TraceRow,
    bag_of_words_probes,
    length_probe,
    trace_rows,
)
from tracelift_groups.card import render_card
from tracelift_groups.llm.prices import Price
from tracelift_groups.llm.request import Usage
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.records import Rejected
from tracelift_groups.rubric.agreement import JudgeStatistics
from tracelift_groups.splits import SPLITS, assign_splits
from tracelift_groups.tables import write_groups

# The words probe holds its texts in memory and takes two seconds per thousand groups; beyond
# this many groups it looks at every n-th.
_PROBED_GROUPS = 1500
_NOTHING_SPENT = {"model_calls": 0, "tokens": 0, "usd": 0.0}


def finish(
    out: Path,
    journal: store.Journal,
    screened: Iterable[Rejected],
    mark: dict[str, Any],
    *,
    isolation: str | None,
    prices: Mapping[str, Price],
    batch: bool = False,
) -> dict[str, Any]:
    """Write what a run folder holds, from its journal.

    Args:
        out: The run folder.
        journal: Holds every seed that was worked on.
        screened: Rows that were set aside before.
        mark: The build's fingerprint.
        isolation: For code: the layers of the sandbox that programs ran in.
        prices: What tokens cost, by model.
        batch: Whether they were bought through the Batch API.

    Returns:
        The manifest.
    """
    rejected = [*screened, *journal.rejections()]
    ids = journal.group_ids()
    split, probes = _survey(journal, ids, mark["seed"])
    folder = out / store.GROUPS
    folder.mkdir(exist_ok=True)
    counts, judges = _Counts(), JudgeStatistics()
    for name in SPLITS:
        part = folder / f"{name}.parquet.part"
        members = journal.groups([one for one in ids if split[one] == name])
        rows = (counts.counted({**group, "split": name}, judges) for group in members)
        write_groups(str(part), rows, dimensions_of(mark["domain"]))
        part.replace(folder / f"{name}.parquet")
    ordered = sorted(rejected, key=lambda one: (one.seed_id or "", one.where, one.reason))
    lines = "".join(f"{one.model_dump_json()}\n" for one in ordered)
    store.write_atomically(out / store.REJECTED, lines)
    drafts, spent = None, dict(_NOTHING_SPENT)
    if "model" in mark:
        drafts, tallies = _of_models(out, journal)
        spent = _spent(tallies, prices, batch=batch)
    said = judges.summary()
    manifest = {
        "build": mark,
        "counts": {
            "seeds_read": len(ids) + len(rejected),
            "groups": len(ids),
            "rejected": len(rejected),
            "by_rejection_reason": dict(sorted(Counter(r.reason for r in rejected).items())),
            **counts.summary(),
            **({"rejected_traces": drafts} if drafts is not None else {}),
        },
        "probes": probes,
        **({"judges": said} if said else {}),
        **({"sandbox": isolation} if isolation else {}),
        "spent": spent,
    }
    store.write_atomically(out / store.CARD, render_card(manifest))
    store.write_atomically(out / store.MANIFEST, json.dumps(manifest, indent=2) + "\n")
    return manifest


def _survey(
    journal: store.Journal, ids: list[str], run_seed: int
) -> tuple[dict[str, str], dict[str, Any]]:
    """Assign the splits and measure the shortcut probes (of a large run, on a fixed sample)."""
    every = -(-len(ids) // _PROBED_GROUPS) or 1
    problems: list[tuple[str, str]] = []
    rows: list[TraceRow] = []
    for number, group in enumerate(journal.groups(ids)):
        problems.append((group["group_id"], group["problem"]))
        if number % every == 0:
            rows += [row._replace(group=number // every) for row in trace_rows([group])]
    words = bag_of_words_probes(rows)
    probes = {
        "groups": len({row.group for row in rows}),
        "length": length_probe(rows)._asdict(),
        "bag_of_words": words.words._asdict(),
        "bag_of_words_and_signs": words.words_and_signs._asdict(),
    }
    return assign_splits(problems, run_seed), probes


def _of_models(
    out: Path, journal: store.Journal
) -> tuple[dict[str, dict[str, int]], dict[str, Counter[str]]]:
    """Write what models wrote in vain, and add up what they were asked.

    Returns:
        How often drafts were rejected, by reason, for each kind and for twins; and for each model
        its calls and tokens.
    """
    counted: dict[str, Counter[str]] = {}
    tallies: dict[str, Counter[str]] = {}
    lines = []
    for line in journal.lines():
        for trace in line.get("rejected_traces", ()):
            counted.setdefault(trace["kind"] or trace["role"], Counter())[trace["reason"]] += 1
            lines.append(json.dumps(trace, ensure_ascii=False) + "\n")
        for model, tally in line.get("spent", {}).items():
            tallies.setdefault(model, Counter()).update(tally)
    store.write_atomically(out / store.REJECTED_TRACES, "".join(lines))
    drafts = {name: dict(sorted(counts.items())) for name, counts in sorted(counted.items())}
    return drafts, tallies


def _spent(
    tallies: Mapping[str, Counter[str]], prices: Mapping[str, Price], *, batch: bool
) -> dict[str, Any]:
    """What the replies cost that the run rests on, by model, wherever they were taken from.

    That does not depend on crashes: calls that were lost with one are not in it.
    """
    if not tallies:
        return dict(_NOTHING_SPENT)
    by_model = {
        model: {
            "calls": tally["calls"],
            "input_tokens": tally["input_tokens"],
            "output_tokens": tally["output_tokens"],
            "usd": _usd(tally, prices.get(model), batch=batch),
        }
        for model, tally in sorted(tallies.items())
    }
    known = [one["usd"] for one in by_model.values() if one["usd"] is not None]
    return {
        "model_calls": sum(tally["calls"] for tally in tallies.values()),
        "tokens": sum(t["input_tokens"] + t["output_tokens"] for t in tallies.values()),
        "usd": round(sum(known), 6) if len(known) == len(by_model) else None,
        "by_model": by_model,
    }


def _usd(tally: Mapping[str, int], price: Price | None, *, batch: bool) -> float | None:
    """None where the price or some tokens are not known."""
    if price is None or tally["unmeasured"]:
        return None
    dollars = price.of(Usage(tally["input_tokens"], tally["output_tokens"]), batch=batch)
    return None if dollars is None else round(dollars, 6)


class _Counts:
    """Tallies over the groups of a run."""

    def __init__(self) -> None:
        self.by: dict[str, Counter[str]] = {
            name: Counter()
            for name in ("split role author kind groups_with_kind operator severity method".split())
        }

    def counted(self, group: dict[str, Any], judges: JudgeStatistics) -> dict[str, Any]:
        """Count a dumped group and give it back."""
        judges.add(group)
        self.by["split"][group["split"]] += 1
        self.by["groups_with_kind"].update({t["kind"] for t in group["traces"] if t["kind"]})
        for trace in group["traces"]:
            self.by["role"][trace["role"]] += 1
            self.by["author"][f"{trace['role']}/{trace['author']}"] += 1
            if certificate := trace["certificate"]:
                self.by["kind"][certificate["kind"]] += 1
                self.by["operator"][f"{trace['kind']}/{certificate['operator']}"] += 1
                self.by["severity"][certificate["severity"]] += 1
                self.by["method"][certificate["method"]] += 1
        return group

    def summary(self) -> dict[str, dict[str, int]]:
        return {
            name if name == "groups_with_kind" else f"by_{name}": dict(sorted(counter.items()))
            for name, counter in self.by.items()
        }
