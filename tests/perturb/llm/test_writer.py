"""The writer: drafts, checks, blind pairs, and a record of everything that was rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.perturb.llm.test_math_desk import PROSE, TWIN, WORKED_ON
from tests.perturb.word_problems import BAKERY, BAKERY_TEXT, template, traced
from tests.replies import TRUNCATED, Ended, drive, tagged
from tracelift_groups.groups import random_for
from tracelift_groups.llm.request import Failed, Request
from tracelift_groups.perturb.llm.math import MathDesk
from tracelift_groups.perturb.llm.writer import Writer, WrittenFlaw
from tracelift_groups.perturb.made import Text
from tracelift_groups.perturb.math.trace import Problem
from tracelift_groups.plan import Plan

PLAN = Plan(engine="llm", model="writer", judges=("critic", "other"))
JUDGED = WORKED_ON.replace("84 + 50 = 134", "84 + 2 * 25 = 134")
PROVEN = WORKED_ON
SECOND = JUDGED.split("\n")[1]
OTHER_PROSE = "Count what the trays hold.\nTake the sold rolls away.\nPack the others by two."
OPERATION = template("wrong_operation")


def writer(reference: str = BAKERY_TEXT, run_seed: int = 0, plan: Plan = PLAN) -> Writer:
    desk = MathDesk(Problem(BAKERY), traced(BAKERY, reference))
    return Writer(desk, plan, "seed-1", lambda name: random_for(run_seed, name))


def verdict(which: str, quote: str = SECOND, why: str = "because") -> Callable[[Request], Any]:
    """A judge that finds a text, knowing what it says: 'flawed', 'sound' or 'neither'."""

    def judge(request: Request) -> dict[str, str]:
        if which == "neither":
            return {"why": why, "flawed": "neither", "quote": ""}
        first = tagged("reasoning-a", request.prompt)
        sound = first in (BAKERY_TEXT, PROSE)
        flawed = "b" if sound else "a"
        other = {"a": "b", "b": "a"}[flawed]
        return {"why": why, "flawed": flawed if which == "flawed" else other, "quote": quote}

    return judge


def flaws(
    made: Writer, reference: str = BAKERY_TEXT, turn: int = 0, **replies: Any
) -> Ended[list[WrittenFlaw]]:
    stage = made.flaws([traced(BAKERY, reference)], [OPERATION], [], turn)
    return drive(stage, **replies)


def twins(
    made: Writer, reference: str = BAKERY_TEXT, count: int = 1, **replies: Any
) -> Ended[list[Text]]:
    return drive(made.twins(traced(BAKERY, reference), [], count), **replies)


def reasons(made: Writer) -> list[str]:
    return [one.reason for one in made.rejected]


def text(reasoning: str) -> dict[str, str]:
    return {"reasoning": reasoning}


def test_what_is_proven_needs_no_judge() -> None:
    made = writer()
    ended = flaws(made, perturb=text(PROVEN))
    (flaw,) = ended.value
    assert ended.tasks == ["perturb"]
    assert (flaw.kind, flaw.parent, flaw.author) == ("wrong_operation", 0, "writer")
    assert flaw.certificate.method == "symbolic"
    assert flaw.certificate.judge is None
    assert made.rejected == []
    (asked,) = ended.asked
    assert asked.model == "writer"
    assert OPERATION.instruction.strip() in asked.prompt
    assert OPERATION.applies_when in asked.prompt
    assert BAKERY_TEXT in asked.prompt


def test_what_a_judge_finds_is_recorded_with_its_words() -> None:
    made = writer()
    ended = flaws(made, perturb=text(JUDGED), pair=verdict("flawed"))
    (flaw,) = ended.value
    assert flaw.certificate.method == "judged"
    assert (flaw.certificate.judge, flaw.certificate.quote) == ("critic", SECOND)
    assert flaw.trace.text == JUDGED
    assert made.rejected == []
    pair = ended.asked[1]
    assert (pair.model, pair.temperature) == ("critic", 0.0)
    for word in ("wrong_operation", "perturb", "twin", "parent"):
        assert word not in pair.prompt


def test_the_judge_sees_both_orders_about_as_often() -> None:
    first = []
    for run_seed in range(40):
        ended = flaws(writer(run_seed=run_seed), perturb=text(JUDGED), pair=verdict("flawed"))
        assert ended.value
        first.append(tagged("reasoning-a", ended.asked[1].prompt) == JUDGED)
    assert 10 <= sum(first) <= 30


VERDICTS = {
    "no flaw": (verdict("neither", why="both hold"), "judged_sound", "both hold"),
    "the parent": (verdict("sound"), "judged_parent", "because"),
    "no step": (verdict("flawed", "Nothing of that kind anywhere"), "judged_elsewhere", "no step"),
    "no quote": (verdict("flawed", ""), "judged_elsewhere", "no step"),
    "no JSON": ("I cannot say.", "judge_failed", "unparsable"),
    "neither of the words": ({"why": "", "flawed": "both", "quote": ""}, "judge_failed", "flawed"),
    "refused": (Failed("refused", "not I"), "judge_failed", "refused: not I"),
    "cut off": (TRUNCATED, "judge_failed", "truncated"),
}  # fmt: skip


@pytest.mark.parametrize("name", VERDICTS)
def test_a_flaw_that_the_judge_does_not_find_is_rejected(name: str) -> None:
    replies, reason, detail = VERDICTS[name]
    made = writer()
    ended = flaws(made, perturb=[text(JUDGED), TRUNCATED, TRUNCATED, TRUNCATED], pair=replies)
    assert ended.value == []
    assert reasons(made) == [reason, "truncated"]
    first = made.rejected[0]
    assert detail in first.detail
    assert (first.seed_id, first.role, first.kind, first.author, first.text) == (
        "seed-1", "flawed", "wrong_operation", "writer", JUDGED,
    )  # fmt: skip
    assert made.rejected[1].text is None


def test_the_judge_has_to_name_the_place() -> None:
    far = f"{PROSE}\nClose the bags.\nCarry them out."
    changed = far.replace("Multiply the trays by", "Add to the trays")
    for quote, found in (
        ("Add to the trays the rolls on each.", True),
        ("From that take what was sold.", True),  # the next
        ("What is left goes into bags, two by two.", False),
        ("Carry them out.", False),
    ):
        made = writer(far)
        judge = verdict("flawed", quote)

        def known(request: Request, judge: Callable[[Request], Any] = judge) -> Any:
            said = judge(request)
            first_is_sound = tagged("reasoning-a", request.prompt) == far
            return {**said, "flawed": "b" if first_is_sound else "a"}

        ended = flaws(made, far, perturb=[text(changed)] + [TRUNCATED] * 3, pair=known)
        assert bool(ended.value) is found, quote
        assert reasons(made) == ([] if found else ["judged_elsewhere", "truncated"])


def test_a_second_draft_is_another_sample_and_may_do() -> None:
    made = writer()
    ended = flaws(made, perturb=[text(BAKERY_TEXT), text(PROVEN)])
    assert len(ended.value) == 1
    assert reasons(made) == ["unchanged"]
    assert ended.asked[0].prompt == ended.asked[1].prompt
    assert ended.asked[0].key != ended.asked[1].key
    assert len(flaws(writer(), perturb=text(BAKERY_TEXT)).asked) == 2


def test_turns_ask_for_other_samples() -> None:
    keys = []
    for turn in range(3):
        ended = flaws(writer(), turn=turn, perturb=text(BAKERY_TEXT))
        keys += [one.key for one in ended.asked]
    assert len(set(keys)) == len(keys) == 6


def test_a_kind_without_a_place_is_not_asked_for_again() -> None:
    made = writer()
    ended = flaws(made, perturb=text("  "))
    assert ended.value == []
    assert len(ended.asked) == 1
    assert reasons(made) == ["not_applicable"]


def test_what_the_group_has_already_is_a_duplicate() -> None:
    made = writer()
    assert flaws(made, perturb=text(PROVEN)).value
    assert flaws(made, perturb=text(PROVEN.replace("\n", " \n"))).value == []
    assert reasons(made) == ["duplicate", "duplicate"]
    other = writer()
    stage = other.flaws([traced(BAKERY, BAKERY_TEXT)], [OPERATION], [traced(BAKERY, PROVEN)], 0)
    assert drive(stage, perturb=text(PROVEN)).value == []
    assert reasons(other) == ["duplicate", "duplicate"]


def test_a_twin_that_is_proven_needs_no_judge() -> None:
    made = writer()
    ended = twins(made, twin=text(TWIN))
    assert [twin.text for twin in ended.value] == [TWIN]
    assert ended.tasks == ["twin"]
    assert made.rejected == []


def test_twins_are_asked_for_in_different_manners() -> None:
    prompts = set()
    for run_seed in range(8):
        ended = twins(writer(run_seed=run_seed), count=2, twin=TRUNCATED)
        assert len({one.prompt for one in ended.asked}) == 2
        prompts |= {one.prompt for one in ended.asked}
    assert len(prompts) == 3


def test_a_twin_that_is_not_proven_has_to_pass_a_judge() -> None:
    made = writer(PROSE)
    good = twins(made, PROSE, twin=text(OTHER_PROSE), pair=verdict("neither"))
    assert [twin.text for twin in good.value] == [OTHER_PROSE]
    assert good.tasks == ["twin", "pair"]
    assert good.asked[1].model == "critic"


@pytest.mark.parametrize(
    ("replies", "reason", "detail"),
    [
        (verdict("flawed"), "judged_flawed", "objects to the rewording: because"),
        (verdict("sound"), "judged_flawed", "objects to the reference: because"),
        ("no JSON", "judge_failed", "unparsable"),
        (Failed("refused", "no"), "judge_failed", "refused: no"),
    ],
)
def test_a_twin_that_the_judge_objects_to_is_rejected(
    replies: Any, reason: str, detail: str
) -> None:
    made = writer(PROSE)
    ended = twins(made, PROSE, twin=[text(OTHER_PROSE)] + [TRUNCATED] * 3, pair=replies)
    assert ended.value == []
    assert reasons(made) == [reason, "truncated"]
    assert detail in made.rejected[0].detail
    assert (made.rejected[0].role, made.rejected[0].kind) == ("twin", None)


def test_twins_are_looked_at_as_flaws_are() -> None:
    made = writer()
    ended = twins(made, count=2, twin=[text(TWIN), text(TWIN), text(BAKERY_TEXT)])
    assert len(ended.value) == 1
    assert reasons(made) == ["duplicate", "unchanged"]


def test_parents_are_drawn_among_the_sound_traces() -> None:
    sound = [traced(BAKERY, BAKERY_TEXT), traced(BAKERY, TWIN)]
    seen = set()
    for run_seed in range(12):
        made = writer(run_seed=run_seed)
        ended = drive(made.flaws(sound, [OPERATION], []), perturb=TRUNCATED)
        shown = [tagged("reasoning", one.prompt) for one in ended.asked]
        assert len(set(shown)) == 1
        seen.add(shown[0])
    assert seen == {BAKERY_TEXT, TWIN}


def test_what_is_drawn_for_one_trace_does_not_depend_on_others() -> None:
    alone = flaws(writer(run_seed=5), perturb=text(JUDGED), pair=verdict("flawed"))
    made = writer(run_seed=5)
    stage = made.flaws([traced(BAKERY, BAKERY_TEXT)], [template("unsupported_leap"), OPERATION], [])
    both = drive(
        stage,
        perturb=lambda one: text(JUDGED) if "wrong_operation" in one.prompt else text(""),
        pair=verdict("flawed"),
    )
    assert [one.prompt for one in alone.asked if one.task == "pair"] == [
        one.prompt for one in both.asked if one.task == "pair"
    ]
