"""Groups as rows of the formats that others train and measure on; what has no place is counted.

``trl-reward``: TRL's preference format with a margin. ``trl-prm``: TRL's stepwise supervision; all
steps from the first wrong one on are wrong, as Math-Shepherd labels them (arXiv 2312.08935).
``processbench``: the index of the earliest wrong step, -1 for none (arXiv 2412.06559).
``rewardbench``: RewardBench 2's best of four, one right and three wrong (arXiv 2506.01937).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal

from tracelift_groups.errors import UserError
from tracelift_groups.records import Group, Trace

Pairs = Literal["parent", "all"]
_WRONG = 3


def trl_reward(group: Group, pairs: Pairs, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """``prompt``, ``chosen``, ``rejected``, ``margin`` (difference of the rubric's totals).

    Each flawed trace beside the sound one that it was made from, or beside every sound one.
    """
    by_id = {trace.trace_id: trace for trace in group.traces}
    sound = [trace for trace in group.traces if trace.sound]
    for trace in group.traces:
        if trace.sound:
            continue
        parent = by_id.get(trace.parent_id or "", group.reference)
        for better in sound if pairs == "all" else [parent]:
            yield {
                "prompt": f"{group.problem}\n\n",
                "chosen": better.text,
                "rejected": trace.text,
                "margin": round(better.rubric.total - trace.rubric.total, 6),
                "kind": trace.kind,
                "group_id": group.group_id,
            }


def trl_prm(group: Group, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """``prompt``, ``completions`` (the steps) and ``labels``, a truth value a step."""
    for trace in group.traces:
        wrong = _first_wrong(trace, left_out)
        if wrong is not None:
            yield {
                "prompt": group.problem,
                "completions": list(trace.steps),
                "labels": [wrong == -1 or place < wrong for place in range(len(trace.steps))],
                "kind": trace.kind,
                "group_id": group.group_id,
            }


def processbench(group: Group, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """``id``, ``generator``, ``problem``, ``steps``, ``final_answer_correct``, ``label``."""
    for trace in group.traces:
        wrong = _first_wrong(trace, left_out)
        if wrong is not None:
            yield {
                "id": trace.trace_id,
                "generator": trace.author,
                "problem": group.problem,
                "steps": list(trace.steps),
                "final_answer_correct": trace.certificate is None
                or not trace.certificate.answer_changed,
                "label": wrong,
            }


def rewardbench(group: Group, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """``id``, ``prompt``, one ``chosen``, three ``rejected`` of different kinds, ``subset``."""
    draw = Random(f"rewardbench:{group.group_id}")
    by_kind: dict[str, list[Trace]] = {}
    for trace in group.traces:
        if trace.kind is not None:
            by_kind.setdefault(trace.kind, []).append(trace)
    if len(by_kind) < _WRONG:
        left_out["groups_with_fewer_than_three_kinds"] += 1
        return
    kinds = draw.sample(sorted(by_kind), _WRONG)
    rejected = [draw.choice(by_kind[kind]) for kind in kinds]
    chosen = draw.choice([trace for trace in group.traces if trace.sound])
    yield {
        "id": group.group_id,
        "prompt": group.problem,
        "chosen": [chosen.text],
        "rejected": [trace.text for trace in rejected],
        "num_correct": 1,
        "num_incorrect": _WRONG,
        "subset": group.domain,
        "kinds": kinds,
    }


def _first_wrong(trace: Trace, left_out: Counter[str]) -> int | None:
    """The first wrong step, -1 for none; None where no certificate knows it."""
    if trace.sound:
        return -1
    if trace.certificate is None:
        left_out["traces_without_certificate"] += 1
        return None
    return trace.certificate.step


Rows = Callable[[Group, Counter[str]], Iterator[dict[str, Any]]]


def exporter(target: str, pairs: Pairs) -> Rows:
    """The function that makes a format's rows of a group."""
    if target == "trl-reward":
        return lambda group, left_out: trl_reward(group, pairs, left_out)
    return {"trl-prm": trl_prm, "processbench": processbench, "rewardbench": rewardbench}[target]


def write_rows(path: Path, groups: Iterable[Group], rows: Rows) -> tuple[int, Counter[str]]:
    """Write the rows of groups as JSONL, or as Parquet by the file's ending; whole or not at all.

    Returns:
        How many rows, and what was left out, by reason.

    Raises:
        UserError: The file cannot be written.
    """
    left_out: Counter[str] = Counter()
    made = (row for group in groups for row in rows(group, left_out))
    temporary = path.with_name(path.name + ".part")
    try:
        write = _parquet if path.suffix == ".parquet" else _jsonl
        count = write(temporary, made)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"cannot write ({error.strerror})", where=str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    return count, left_out


def _jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _parquet(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = list(rows)
    pq.write_table(pa.Table.from_pylist(held), path, compression="zstd")
    return len(held)
