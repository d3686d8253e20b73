"""Groups with a model: rules first where they are wanted, and as many turns as it takes."""

from __future__ import annotations

from typing import Any

from tests.replies import Ended, drive, tagged
from tests.test_groups import ONE_STEP, REASONING, seed
from tracelift_groups.groups import MIN_FLAWED, WRITTEN_TURNS, Made, group_stage
from tracelift_groups.llm.request import Failed, Request
from tracelift_groups.perturb.checks import recheck
from tracelift_groups.perturb.code.runs import Sandbox
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.plan import EngineName, Plan
from tracelift_groups.records import Group, Rejected, Seed, Trace

TWINS = (
    "With 14 rolls on each of 6 trays there are 6 * 14 = 84 rolls.\n"
    "Of these 50 are sold, so that 84 - 50 = 34 are left.",
    "The baker has 14 * 6 = 84 rolls on the trays.\nTake 50 away and 84 - 50 = 34 remain.",
)
NOTHING = {"reasoning": ""}
PROSE = {
    "problem": "How many rolls are left of a tray once half of them are sold and two are burnt?",
    "reasoning": "Halve what the tray holds.\nThen take the burnt ones away.",
    "answer": "x/2 - 2",
}


def built(engine: EngineName, one: Seed | None = None, **replies: Any) -> Ended[Made]:
    plan = Plan(engine=engine, model="writer", judges=("critic",))
    return drive(group_stage(one or seed(), plan, 0, Sandbox()), **replies)


def group_of(ended: Ended[Made]) -> Group:
    assert isinstance(ended.value.result, Group), ended.value
    return ended.value.result


def rejection(ended: Ended[Made]) -> str:
    assert isinstance(ended.value.result, Rejected)
    return ended.value.result.reason


def slip(request: Request) -> dict[str, str]:
    """Hundredths of what was sold, in whatever text is shown."""
    shown = tagged("reasoning", request.prompt)
    return {"reasoning": shown.replace("- 50 = 34", "- 0.5 = 83.5")}


def found(request: Request) -> dict[str, str]:
    for which in "ab":
        for line in tagged(f"reasoning-{which}", request.prompt).split("\n"):
            if "83.5" in line:
                return {"why": "", "flawed": which, "quote": line}
    return {"why": "", "flawed": "neither", "quote": ""}


def by(author: str, group: Group) -> list[Trace]:
    return [trace for trace in group.traces if trace.author == author]


def kind_of(request: Request) -> str:
    return request.prompt.split("<kind>", 1)[1].split("</kind>", 1)[0]


def test_auto_asks_for_what_the_rules_did_not_make() -> None:
    ruled = drive(group_stage(seed(), Plan(), 0, Sandbox())).value.result
    assert isinstance(ruled, Group)
    missing = {one.id for one in load_templates("math")} - {one.kind for one in ruled.traces}
    assert missing == {"unit_mismatch"}
    ended = built("auto", twin={"reasoning": TWINS[0]}, perturb=slip, pair=found)
    group = group_of(ended)
    assert {kind_of(one) for one in ended.asked if one.task == "perturb"} == missing
    assert [(one.text, one.certificate) for one in by("rule", group)] == [
        (one.text, one.certificate) for one in by("rule", ruled)
    ]
    twin, flaw = by("writer", group)
    assert (twin.role, twin.text) == ("twin", TWINS[0])
    assert (flaw.kind, flaw.role) == ("unit_mismatch", "flawed")
    assert recheck(group) == []


def test_what_rules_make_does_not_depend_on_the_model() -> None:
    ruled = drive(group_stage(seed(), Plan(), 0, Sandbox())).value.result
    assert isinstance(ruled, Group)
    assert group_of(built("auto", twin=NOTHING, perturb=NOTHING)) == ruled
    written = group_of(built("auto", twin={"reasoning": TWINS[0]}, perturb=NOTHING))
    assert by("rule", written) == by("rule", ruled)


def test_a_models_flaws_stand_beside_a_sound_trace_of_the_model() -> None:
    """Where no twin of its comes out, nothing in the group is the model's: no author tells."""
    ended = built("auto", twin=NOTHING, perturb=slip, pair=found)
    assert by("writer", group_of(ended)) == []
    assert set(ended.tasks) == {"twin"}
    plan = Plan(engine="auto", reference="generate", model="writer")
    solved = {"reasoning": REASONING, "answer": "34"}
    stage = group_stage(seed(), plan, 0, Sandbox())
    own = drive(stage, reference=solved, twin=NOTHING, perturb=slip, pair=found).value.result
    assert isinstance(own, Group)
    assert [one.role for one in by("writer", own)] == ["reference", "flawed"]


def test_a_model_alone_makes_everything_but_the_reference() -> None:
    def flaw(request: Request) -> dict[str, str]:
        shown, kind = tagged("reasoning", request.prompt), kind_of(request)
        if kind == "arithmetic_error":
            return {"reasoning": shown.replace("84 - 50 = 34", "84 - 50 = 44")}
        if kind == "wrong_operation":
            return {"reasoning": shown.replace("84 - 50 = 34", "84 + 50 = 134")}
        return slip(request) if kind == "unit_mismatch" else NOTHING

    twins = [{"reasoning": text} for text in TWINS]
    ended = built("llm", twin=twins, perturb=flaw, pair=found)
    # Three kinds came out, one too few: these alone are asked for again.
    asked = [kind_of(one) for one in ended.asked if one.task == "perturb"]
    assert set(asked[: len(load_templates("math"))]) == {one.id for one in load_templates("math")}
    assert set(asked[len(load_templates("math")) :]) == {
        "arithmetic_error",
        "wrong_operation",
        "unit_mismatch",
    }
    assert len({one.key for one in ended.asked}) == len(ended.asked)
    flawed = [one for one in by("writer", group_of(ended)) if one.role == "flawed"]
    assert len(flawed) >= MIN_FLAWED
    assert len({one.text for one in flawed}) == len(flawed)
    assert {one.reason for one in ended.value.rejected} <= {"not_applicable", "duplicate"}
    assert recheck(group_of(ended)) == []


def test_turns_end() -> None:
    def flaw(request: Request) -> dict[str, str]:
        return slip(request) if kind_of(request) == "unit_mismatch" else NOTHING

    twins = [{"reasoning": text} for text in TWINS]
    ended = built("llm", twin=twins, perturb=flaw, pair=found)
    assert rejection(ended) == "too_few_flaws"
    asked = [one for one in ended.asked if kind_of_or_none(one) == "unit_mismatch"]
    assert WRITTEN_TURNS <= len(asked) <= 2 * WRITTEN_TURNS
    nothing = built("llm", twin=twins, perturb=NOTHING)
    assert nothing.tasks.count("perturb") == len(load_templates("math"))


def kind_of_or_none(request: Request) -> str | None:
    return kind_of(request) if request.task == "perturb" else None


def test_without_a_twin_there_is_no_group() -> None:
    ended = built("llm", twin=NOTHING, perturb=NOTHING)
    assert rejection(ended) == "no_twin"
    assert [one.reason for one in ended.value.rejected] == ["empty"] * 4
    assert set(ended.tasks) == {"twin"}  # flaws would be paid for in vain
    assert {one.seed_id for one in ended.value.rejected} == {seed().seed_id}


def test_an_endpoint_that_is_down_is_told_from_a_bad_model() -> None:
    down = Failed("unavailable", "no answer from 127.0.0.1")
    ended = built("llm", twin=down, perturb=down)
    assert rejection(ended) == "model_unavailable"
    assert isinstance(ended.value.result, Rejected)
    assert ended.value.result.detail == "no answer from 127.0.0.1"


def test_what_rules_cannot_read_is_left_to_a_model() -> None:
    one = seed(**PROSE)
    ruled = drive(group_stage(one, Plan(), 0, Sandbox())).value.result
    assert isinstance(ruled, Rejected)
    for engine in ("auto", "llm"):
        ended = built(engine, one, twin=NOTHING, perturb=NOTHING)  # type: ignore[arg-type]
        assert rejection(ended) == "no_twin"
        assert ended.tasks.count("twin") > 0
    false = seed(reasoning="It is 6 * 14 = 85. Then 85 - 51 = 34.")
    ended = built("auto", false)
    assert rejection(ended) == "false_equation"
    assert ended.asked == []


def test_a_seed_of_one_step_may_get_its_flaws_from_a_model() -> None:
    one = seed(**ONE_STEP)
    twin = {"reasoning": "Tickets and programs together are 38 + 27 = 65 items."}
    ended = built("auto", one, twin=twin, perturb=NOTHING)
    assert ended.tasks.count("perturb") > 0


def test_a_model_does_not_repeat_what_the_rules_made() -> None:
    ruled = drive(group_stage(seed(), Plan(), 0, Sandbox())).value.result
    assert isinstance(ruled, Group)
    operation = next(one.text for one in ruled.traces if one.kind == "wrong_operation")
    twin = {"reasoning": TWINS[0]}
    ended = built("auto", twin=twin, perturb={"reasoning": operation}, pair=found)
    assert [one.reason for one in ended.value.rejected] == ["duplicate", "duplicate"]
    assert [one.role for one in by("writer", group_of(ended))] == ["twin"]
