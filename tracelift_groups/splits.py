"""Which problems are near-duplicates: for splits that do not leak, and for decontamination.

Two problems count as near-duplicates when the cosine of their word 3-grams, numbers masked, is at
least ``SIMILAR``: the same story with other numbers is the same problem to a model.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.records import Rejected
from tracelift_groups.seeds.rows import read_rows

SIMILAR = 0.6
SPLITS = ("train", "validation")
VALIDATION_SHARE = 0.1
_BLOCK = 512
_PROBLEM_COLUMNS = ("question", "problem", "prompt", "Body", "input", "text")


def masked(problem: str) -> str:
    """The problem in lower case with a 0 for every number."""
    return re.sub(r"\d[\d,.]*", "0", problem.lower())


def assign_splits(problems: Sequence[tuple[str, str]], run_seed: int) -> dict[str, str]:
    """Assign every problem to ``train`` or ``validation``, near-duplicates together.

    Args:
        problems: (id, text) pairs in any order.
        run_seed: Draws which clusters are held out.

    Returns:
        Split by id. About a tenth of the clusters are validation; of one cluster alone, none.
    """
    ordered = sorted(problems)
    cluster = _clusters([text for _, text in ordered])
    split = {}
    for (name, _), root in zip(ordered, cluster, strict=True):
        draw = hashlib.sha256(f"{run_seed}:split:{ordered[root][0]}".encode()).digest()
        held_out = int.from_bytes(draw[:8], "big") / 2**64 < VALIDATION_SHARE
        split[name] = "validation" if held_out else "train"
    if split and len(set(split.values())) == 1 and len(set(cluster)) > 1:
        first = ordered[0][0]  # a small run still gets both splits
        other = "train" if split[first] == "validation" else "validation"
        for (name, _), root in zip(ordered, cluster, strict=True):
            if root == cluster[0]:
                split[name] = other
    return split


def _clusters(texts: Sequence[str]) -> list[int]:
    """Union-find over near-duplicate pairs; each text's root is the cluster's lowest index."""
    root = list(range(len(texts)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for one, two in near_duplicates(texts, texts):
        low, high = sorted((find(one), find(two)))
        root[high] = low
    return [find(index) for index in range(len(texts))]


def near_duplicates(queries: Sequence[str], corpus: Sequence[str]) -> list[tuple[int, int]]:
    """Index pairs (query, corpus) of near-duplicates."""
    if not queries or not corpus:
        return []
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(ngram_range=(3, 3), n_features=2**20, alternate_sign=False)
    rows = vectorizer.transform([masked(text) for text in queries])
    columns = vectorizer.transform([masked(text) for text in corpus]).T.tocsc()
    pairs = []
    for start in range(0, rows.shape[0], _BLOCK):
        product = (rows[start : start + _BLOCK] @ columns).tocoo()
        near = product.data >= SIMILAR
        pairs += [
            (start + int(one), int(two))
            for one, two in zip(product.row[near], product.col[near], strict=True)
        ]
    return pairs


class Overlap(NamedTuple):
    """An evaluation problem that a seed repeats."""

    where: str
    problem: str


def overlapping(problems: Sequence[str], files: Sequence[Path]) -> dict[int, Overlap]:
    """Find the problems that repeat one of the evaluation files.

    Args:
        problems: The seeds' problems.
        files: JSONL files whose rows have a problem under one of the usual names.

    Returns:
        By index into ``problems``, the first evaluation row that it is a near-duplicate of.

    Raises:
        UserError: A file is missing or has no problem in any row.
    """
    evaluation = [row for path in files for row in _evaluation_rows(path)]
    found: dict[int, Overlap] = {}
    for query, index in sorted(near_duplicates(problems, [row.problem for row in evaluation])):
        found.setdefault(query, evaluation[index])
    return found


def _evaluation_rows(path: Path) -> list[Overlap]:
    if not path.is_file():
        raise UserError("no such file", where=str(path), way_out="check --decontaminate")
    rows = []
    for row in read_rows(path):
        if isinstance(row, Rejected):
            continue
        text = next((row.text(name) for name in _PROBLEM_COLUMNS if row.text(name)), None)
        if text:
            rows.append(Overlap(row.where, text))
    if not rows:
        raise UserError(
            f"no row has a problem under any of {', '.join(_PROBLEM_COLUMNS)}", where=str(path)
        )
    return rows
