"""Judges' points become labels; a judgement that failed is no zero."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.replies import TRUNCATED, drive
from tests.test_groups import PROBLEM, seed
from tracelift_groups.groups import group_stage
from tracelift_groups.llm.request import Request
from tracelift_groups.perturb.code.runs import Sandbox
from tracelift_groups.perturb.template import dimensions_of
from tracelift_groups.plan import Plan
from tracelift_groups.records import Domain, Group, Judgement, Rejected
from tracelift_groups.rubric.judge import judgements, meanings_of, rubric_of

NAMES = dimensions_of("math")
PLAN = Plan(rubric="judge", model="writer")


def scores(*points: int) -> dict[str, Any]:
    """A reply with these points, or the same for every dimension."""
    each = points * len(NAMES) if len(points) == 1 else points
    return {
        name: {"reason": f"of {name}", "score": point}
        for name, point in zip(NAMES, each, strict=True)
    }


def judgement(*points: int, judge: str = "j", sample: int = 0) -> Judgement:
    return Judgement(
        judge=judge,
        sample=sample,
        scores=dict(zip(NAMES, points, strict=True)),
        reasons=dict.fromkeys(NAMES, ""),
    )


@pytest.mark.parametrize("domain", ["math", "code"])
def test_the_judge_is_asked_for_the_dimensions_of_the_templates(domain: Domain) -> None:
    assert tuple(meanings_of(domain)) == dimensions_of(domain)
    stage = judgements(PROBLEM, ["a trace"], domain, PLAN)
    (asked,) = next(stage)
    assert asked.schema is not None
    assert list(asked.schema.body["properties"]) == list(dimensions_of(domain))
    for name, meaning in meanings_of(domain).items():
        assert f"{name}: {meaning}" in asked.prompt
    assert ("answer, and" in asked.prompt) is (domain == "math")


@pytest.mark.parametrize(
    ("points", "label"),
    [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3), (8, 4), (9, 4), (10, 4)],
)
def test_labels_are_buckets_of_two_points(points: int, label: int) -> None:
    rubric = rubric_of([judgement(*[points] * 5)])
    assert set(rubric.labels.values()) == {label} == {min(4, points // 2)}
    assert rubric.total == points / 10


def test_the_total_is_of_the_points_and_not_of_the_labels() -> None:
    rubric = rubric_of([judgement(10, 9, 7, 3, 0)])
    assert list(rubric.labels.values()) == [4, 4, 3, 1, 0]
    assert rubric.total == pytest.approx(29 / 50)


def test_of_several_judgements_the_mean_counts() -> None:
    rubric = rubric_of(
        [judgement(10, 2, 7, 3, 0), judgement(9, 1, 8, 4, 1), judgement(8, 2, 9, 5, 0)]
    )
    assert list(rubric.labels.values()) == [4, 0, 4, 2, 0]  # means 9, 5/3, 8, 4, 1/3
    whole = sum([Fraction(9), Fraction(5, 3), Fraction(8), Fraction(4), Fraction(1, 3)])
    assert rubric.total == pytest.approx(float(whole / 50), abs=1e-6)


def test_every_judge_is_asked_for_every_trace_at_once() -> None:
    plan = Plan(rubric="judge", model="writer", judges=("one", "two"), judge_samples=2)

    def reply(request: Request) -> dict[str, Any]:
        base = 8 if "first trace" in request.prompt else 4
        return scores(base + (request.model == "two"))

    ended = drive(judgements(PROBLEM, ["first trace", "second trace"], "math", plan), judge=reply)
    assert len(ended.rounds) == 1
    assert len({one.key for one in ended.asked}) == 8
    assert {one.temperature for one in ended.asked} == {0.7}
    first, second = ended.value
    assert [(one.judge, one.sample) for one in first] == [
        ("one", 0), ("one", 1), ("two", 0), ("two", 1),
    ]  # fmt: skip
    assert [set(one.scores.values()) for one in (*first, *second)] == [
        {8}, {8}, {9}, {9}, {4}, {4}, {5}, {5},
    ]  # fmt: skip
    assert first[0].reasons == {name: f"of {name}" for name in NAMES}


def test_one_sample_is_asked_for_without_chance_and_of_the_writer() -> None:
    ended = drive(judgements(PROBLEM, ["a"], "math", PLAN), judge=scores(10))
    (asked,) = ended.asked
    assert (asked.temperature, asked.model) == (0.0, "writer")
    assert "a" in asked.prompt and PROBLEM in asked.prompt


BAD: dict[str, Any] = {
    "eleven points": scores(11),
    "less than none": scores(-1),
    "half a point": {**scores(5), NAMES[0]: {"reason": "", "score": 5.5}},
    "no score": {**scores(5), NAMES[0]: {"reason": ""}},
    "no reason": {**scores(5), NAMES[0]: {"score": 5}},
    "a dimension is missing": {name: scores(5)[name] for name in NAMES[1:]},
    "a dimension of its own": {**scores(5), "style": {"reason": "", "score": 5}},
    "bare numbers": dict.fromkeys(NAMES, 5),
    "cut off": TRUNCATED,
    "words": "All is well.",
}


@pytest.mark.parametrize("name", BAD)
def test_a_judgement_that_failed_is_left_out(name: str) -> None:
    plan = Plan(rubric="judge", model="writer", judges=("good", "bad"))

    def reply(request: Request) -> Any:
        return scores(10) if request.model == "good" else BAD[name]

    ended = drive(judgements(PROBLEM, ["a"], "math", plan), judge=reply)
    ((only,),) = ended.value
    assert only.judge == "good"
    assert rubric_of(ended.value[0]).total == 1.0
    again = drive(judgements(PROBLEM, ["a"], "math", PLAN), judge=[BAD[name], scores(10)])
    assert len(again.value[0]) == 1


def test_groups_get_the_judges_labels() -> None:
    ended = drive(group_stage(seed(), PLAN, 0, Sandbox()), judge=scores(9, 8, 7, 6, 5))
    group = ended.value.result
    assert isinstance(group, Group)
    assert set(ended.tasks) == {"judge"}
    assert len(ended.asked) == len(group.traces)
    for trace in group.traces:
        assert list(trace.rubric.labels.values()) == [4, 4, 3, 3, 2]
        assert trace.rubric.total == 0.7
        assert trace.judgements is not None
        assert trace.judgements[0].judge == "writer"
    template = drive(group_stage(seed(), Plan(), 0, Sandbox())).value.result
    assert isinstance(template, Group)
    assert [trace.text for trace in template.traces] == [trace.text for trace in group.traces]
    assert all(trace.judgements is None for trace in template.traces)


def test_a_trace_without_any_judgement_rejects_the_seed() -> None:
    again = [scores(9), "no", *[scores(9)] * 30]  # the second is asked for once more
    good = drive(group_stage(seed(), PLAN, 0, Sandbox()), judge=again).value.result
    assert isinstance(good, Group)
    made = drive(
        group_stage(seed(), PLAN, 0, Sandbox()),
        judge=lambda asked: "no" if good.traces[1].text in asked.prompt else scores(9),
    ).value.result
    assert isinstance(made, Rejected)
    assert made.reason == "judge_failed"
    assert good.traces[1].trace_id in made.detail
    assert good.traces[0].trace_id not in made.detail
