"""GSM8K: ``question``, and an ``answer`` that holds the rationale and a last line ``#### N``."""

from __future__ import annotations

from collections.abc import Iterator

from tracelift_groups.hub import require_hub
from tracelift_groups.records import Rejected, Seed
from tracelift_groups.seeds.rows import Row, malformed, missing

HUB_ID = "openai/gsm8k"


def seed(row: Row, source: str = "gsm8k") -> Seed | Rejected:
    """Turn one row into a seed."""
    for name in ("question", "answer"):
        if not (row.text(name) or "").strip():
            return missing(row, name)
    question, answer = row.text(name="question"), row.text(name="answer")
    assert question is not None and answer is not None
    reasoning, mark, gold = answer.rpartition("####")
    if not mark or not gold.strip():
        return malformed(row.where, "field 'answer' does not end on a line '#### N'")
    return Seed(
        source=source,
        domain="math",
        problem=question.strip(),
        answer=gold.strip(),
        reasoning=reasoning,
        where=row.where,
    )


def from_hub(split: str) -> Iterator[Seed | Rejected]:
    """Yield the seeds of a split of the Hub's copy.

    Raises:
        UserError: The Hub is out of reach; said within three seconds.
    """
    require_hub(f"the data set {HUB_ID}", way_out="pass --seeds FILE with GSM8K's own JSONL rows")
    from datasets import load_dataset

    for number, values in enumerate(load_dataset(HUB_ID, "main", split=split)):
        yield seed(Row(dict(values), f"{HUB_ID}/{split}:{number}"))
