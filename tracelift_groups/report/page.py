"""One self-contained HTML file that shows groups: data, style and script in one, no network.

Texts of traces are written by models and by strangers. They travel as base64 of gzipped JSON and
are put into the page as text, never as markup; the page's policy allows no connection and no
script but its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracelift_groups.records import Group, Rejected
from tracelift_groups.rm.metrics import Wins, calibration_bins, pair_wins, ratio, top_wins

_BINS = 24


def render_page(
    groups: Sequence[Group],
    *,
    title: str,
    rejected: Sequence[Rejected] = (),
    manifest: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
    scores: Sequence[Sequence[float]] | None = None,
) -> str:
    """Write the page; equal arguments, equal bytes.

    Args:
        groups: What to show.
        title: Of the page.
        rejected: Seeds that became no group.
        manifest: Of the run, where there is one.
        audit: What ``tlg audit`` wrote, where it did.
        scores: A reward model's score of every trace of every group, in [0, 1].
    """
    rows = [_row(group) for group in groups]
    data: dict[str, Any] = {
        "title": title,
        "subtitle": _subtitle(groups, rejected, manifest),
        "groups": rows,
        "overview": _overview(groups, rejected, manifest),
        "rejected": [one.model_dump(exclude={"seed_id"}) for one in rejected],
        "audit": audit,
        "rm": None if scores is None else _with_scores(groups, rows, scores),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    packed = base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 9, mtime=0)).decode()
    script = _part("view.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _part("view.html")
    for name, value in (("hash", digest), ("css", _part("view.css")), ("js", script)):
        page = page.replace(f"{{{{ {name} }}}}", value)
    return page.replace("{{ data }}", packed)  # last: nothing in it is looked at again


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _row(group: Group) -> dict[str, Any]:
    row = group.model_dump(exclude={"metadata", "schema_version"})
    for trace in row["traces"]:
        del trace["steps"], trace["judgements"]
        if trace["uplift"] is None:
            del trace["uplift"]
    return row


def _subtitle(
    groups: Sequence[Group], rejected: Sequence[Rejected], manifest: Mapping[str, Any] | None
) -> str:
    traces = sum(len(group.traces) for group in groups)
    parts = [f"{len(groups)} groups, {traces} traces"]
    if manifest:
        build = manifest["build"]
        parts += [f"{len(rejected)} seeds rejected", f"source {build['source']['name']}"]
        parts += [f"engine {build['engine']}", f"tracelift-groups {build['version']}"]
    return " · ".join(parts)


def _overview(
    groups: Sequence[Group], rejected: Sequence[Rejected], manifest: Mapping[str, Any] | None
) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    totals: dict[str, list[float]] = {}
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for group in groups:
        kinds.update({trace.kind for trace in group.traces if trace.kind})
        for trace in group.traces:
            totals.setdefault(trace.kind or trace.role, []).append(trace.rubric.total)
            lengths[trace.sound].append(len(trace.text))
    uplift = (manifest or {}).get("uplift")
    return {
        "kinds": dict(sorted(kinds.items())),
        "totals": {name: round(sum(v) / len(v), 4) for name, v in sorted(totals.items())},
        "lengths": _histogram(lengths[True], lengths[False]),
        "rejections": dict(sorted(Counter(one.reason for one in rejected).items())),
        "uplift": [[row["row"], row["success"][0]] for row in uplift["table"]] if uplift else None,
    }


def _histogram(sound: Sequence[int], flawed: Sequence[int]) -> dict[str, list[int]]:
    every = [*sound, *flawed] or [0]
    step = max(1, int(np.percentile(every, 98)) // _BINS + 1)
    edges = [step * number for number in range(_BINS)]

    def count(values: Sequence[int]) -> list[int]:
        bins = [min(_BINS - 1, value // step) for value in values]
        return np.bincount(bins, minlength=_BINS).tolist() if bins else [0] * _BINS

    return {"edges": edges, "sound": count(sound), "flawed": count(flawed)}


def _with_scores(
    groups: Sequence[Group], rows: Sequence[dict[str, Any]], scores: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """Put the scores into the rows; return the figures over all of them."""
    score_N = np.array([score for own in scores for score in own], dtype=np.float64)
    traces = [trace for group in groups for trace in group.traces]
    sound_N = np.array([trace.sound for trace in traces], dtype=np.bool_)
    group_N = np.repeat(np.arange(len(groups)), [len(group.traces) for group in groups])
    wins, top = pair_wins(score_N, sound_N, group_N), top_wins(score_N, sound_N, group_N)
    kinds = np.array([trace.kind or "" for trace in traces])
    for row, own in zip(rows, scores, strict=True):
        sound = [s for s, trace in zip(own, row["traces"], strict=True) if trace["kind"] is None]
        flawed = [s for s, trace in zip(own, row["traces"], strict=True) if trace["kind"]]
        row["rm"] = round(max(sound) - max(flawed, default=0.0), 4)
        for score, trace in zip(own, row["traces"], strict=True):
            trace["rm"] = round(score, 4)
    return {
        "pairs": round(ratio(wins, group_N).value, 4),
        "top": round(ratio(top, group_N).value, 4),
        "kinds": {str(kind): _share(wins, kinds == kind) for kind in sorted(set(kinds) - {""})},
        "bins": [
            [round(one.mean_score, 4), round(one.share_sound, 4), one.traces]
            for one in calibration_bins(score_N, sound_N)
            if one.traces
        ],
    }


def _share(wins: Wins, chosen: NDArray[np.bool_]) -> float:
    return round(float(wins.won_N[chosen].sum() / wins.of_N[chosen].sum()), 4)
