"""From a seed to a group, or to a rejection with its reason."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tracelift_groups import groups
from tracelift_groups.assets import asset
from tracelift_groups.groups import make_group, random_for
from tracelift_groups.perturb.math import engine
from tracelift_groups.perturb.math.checks import recheck
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.records import Group, Rejected, Seed
from tracelift_groups.rubric import flawed_rubric

PROBLEM = "A baker fills 6 trays with 14 rolls each and sells 50 rolls. How many rolls are left?"
REASONING = """\
The trays hold 6 * 14 = <<6*14=84>>84 rolls.
After the sale 84 - 50 = <<84-50=34>>34 rolls are left.
#### 34"""
ONE_STEP = {
    "problem": "A theater sells 27 tickets and 38 programs in an hour. How many items is that?",
    "reasoning": "The theater sells 27 + 38 = 65 items.",
    "answer": "65",
}


def seed(**fields: Any) -> Seed:
    base = {"source": "test", "domain": "math", "problem": PROBLEM, "answer": "34",
            "reasoning": REASONING, "where": "f:7"}  # fmt: skip
    return Seed.model_validate({**base, **fields})


def made(run_seed: int = 0, **fields: Any) -> Group:
    group = make_group(seed(**fields), run_seed)
    assert isinstance(group, Group)
    return group


def bundled(count: int) -> list[Seed]:
    lines = asset("data", "seeds", "math.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines[:: len(lines) // count]]
    return [
        seed(problem=row["question"], reasoning=row["answer"],
             answer=row["answer"].rpartition("#### ")[2])
        for row in rows
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"reasoning": None}, "no_reasoning"),
        ({"answer": None}, "no_answer"),
        ({"reasoning": "#### 34"}, "empty_reasoning"),
        ({"answer": "many"}, "bad_answer"),
        ({"reasoning": "There are 34 left."}, "no_equation"),
        ({"reasoning": "6 * 14 = 85.\n85 - 51 = 34."}, "false_equation"),
        ({"answer": "35"}, "answer_mismatch"),
    ],
)
def test_a_seed_that_cannot_serve_is_rejected_with_its_reason(
    fields: dict[str, Any], reason: str
) -> None:
    rejected = make_group(seed(**fields), 0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert rejected.detail
    assert (rejected.seed_id, rejected.where) == (seed().seed_id, "f:7")
    assert rejected.problem == PROBLEM


def test_a_reference_that_cannot_be_reworded_is_rejected() -> None:
    # One line with an unknown, and no question to begin with: nothing that may be touched.
    rejected = make_group(seed(problem="3 and 4.", reasoning="y = 3 + 4 = 7", answer="7"), 0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "no_twin"


def test_a_reference_that_gives_too_few_flaws_is_rejected_with_those_there_were() -> None:
    # The equation ends on no single number: there is no result to get wrong.
    reasoning = "He has 3 * 8 = 20 + 4"
    rejected = make_group(seed(problem="3 rows of 8.", reasoning=reasoning, answer="24"), 0)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "too_few_flaws"
    assert rejected.detail == "0 of at least 4 certified (none)"


def test_too_few_flaws_are_named_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [str(trace.kind) for trace in made().traces if trace.kind]
    make_flaws = engine.make_flaws
    monkeypatch.setattr(engine, "make_flaws", lambda *arguments: make_flaws(*arguments)[:2])
    rejected = make_group(seed(), 0)
    assert isinstance(rejected, Rejected)
    assert rejected.detail == f"2 of at least 4 certified ({kinds[0]}, {kinds[1]})"


def test_a_group_carries_the_seed() -> None:
    group = made()
    assert group.group_id == seed().seed_id
    assert (group.problem, group.answer, group.domain) == (PROBLEM, "34", "math")
    assert group.split is None


def test_the_reference_is_the_cleaned_reasoning() -> None:
    reference = made().reference
    assert reference.text == (
        "The trays hold 6 * 14 = 84 rolls.\nAfter the sale 84 - 50 = 34 rolls are left."
    )
    assert reference.author == "human"
    assert reference.parent_id is None
    assert reference.rubric.total == 1.0


def test_traces_are_named_by_their_place_and_kind() -> None:
    group = made()
    twins = [trace for trace in group.traces if trace.role == "twin"]
    sound = [f"{group.group_id}/s{index}" for index in range(len(twins) + 1)]
    assert [trace.trace_id for trace in group.traces if trace.sound] == sound
    seen: Counter[str] = Counter()
    for trace in group.traces[len(sound) :]:
        assert trace.kind is not None
        seen[trace.kind] += 1
        again = f"-{seen[trace.kind]}" if seen[trace.kind] > 1 else ""
        assert trace.trace_id == f"{group.group_id}/{trace.kind}{again}"


def test_a_one_step_problem_is_filled_up_with_further_flaws_of_its_kinds() -> None:
    group = made(**ONE_STEP)
    flawed = [trace for trace in group.traces if trace.role == "flawed"]
    assert len(flawed) >= groups.MIN_FLAWED
    assert max(Counter(trace.kind for trace in flawed).values()) > 1
    assert any(trace.trace_id.endswith("-2") for trace in flawed)
    assert recheck(group) == []


@pytest.mark.parametrize("number", range(8))
def test_invariants_of_a_group(number: int) -> None:
    group = make_group(bundled(8)[number], 0)
    assert isinstance(group, Group)
    templates = {template.id: template for template in load_templates("math")}
    sound = {trace.trace_id: trace for trace in group.traces if trace.sound}
    assert group.traces[0] is group.reference
    assert 1 <= len(sound) - 1 <= 3
    texts = ["".join(trace.text.split()) for trace in group.traces]
    assert len(set(texts)) == len(texts)
    for trace in sound.values():
        assert set(trace.rubric.labels.values()) == {4}
        assert trace.certificate is None
    flawed = [trace for trace in group.traces if not trace.sound]
    assert len(flawed) >= groups.MIN_FLAWED
    for trace in flawed:
        certificate = trace.certificate
        assert certificate is not None
        assert trace.parent_id in sound
        assert trace.author == "rule"
        assert trace.text[certificate.start : certificate.end] == certificate.after
        assert certificate.step < len(trace.steps)
        assert trace.rubric == flawed_rubric(
            templates[certificate.kind], certificate, len(trace.steps)
        )
        assert trace.rubric.total < 1
    assert recheck(group) == []


def test_the_same_seed_gives_the_same_bytes_and_the_run_seed_changes_them() -> None:
    one, same, other = made(0), made(0), made(1)
    assert one.model_dump_json() == same.model_dump_json()
    assert one.model_dump_json() != other.model_dump_json()
    assert one.reference == other.reference


def test_a_group_does_not_depend_on_where_its_seed_came_from() -> None:
    assert made() == made(where="elsewhere:99")


def test_a_generator_depends_on_the_run_seed_and_the_name_alone() -> None:
    assert random_for(0, "a").random() == random_for(0, "a").random()
    draws = {random_for(run, name).random() for run in (0, 1) for name in ("a", "b")}
    assert len(draws) == 4
