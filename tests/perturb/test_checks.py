"""The gate: what certify, check_sound and recheck refuse, and what a certificate says."""

from __future__ import annotations

import pytest

from tests.perturb.word_problems import BAKERY, BAKERY_TEXT, KINDS, bakery, template, traced
from tracelift_groups.groups import make_group
from tracelift_groups.perturb.math.checks import certify, check_sound, recheck, unsupported
from tracelift_groups.perturb.math.evidence import POSTCONDITIONS, Evidence, Unconfirmed
from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.records import Certificate, Group, Seed, Trace

TRAYS, SALE, BAGS = BAKERY_TEXT.split("\n")
DROPPED = f"{TRAYS}\nAfter the sale 84 rolls are left.\nThey fill 84 / 2 = 42 bags."
# Of a kind's example, the other kinds that it bears out as well: whoever overlooks the quantity of
# the last step ends on the value before it, and the other way round.
ALSO = {
    "missing_condition": {"premature_answer"},
    "premature_answer": {"missing_condition"},
}


def certified(
    kind: str, after: str, before: str = BAKERY_TEXT, problem: str = BAKERY
) -> Certificate:
    return certify(template(kind), traced(problem, before), traced(problem, after), "by hand")


def refused(kind: str, after: str, before: str = BAKERY_TEXT, problem: str = BAKERY) -> str:
    with pytest.raises(Unconfirmed) as refusal:
        certified(kind, after, before, problem)
    return str(refusal.value)


def example(kind: str) -> tuple[MathTrace, MathTrace]:
    shown = template(kind).example
    return traced(shown.problem, shown.before), traced(shown.problem, shown.after)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_template_certifies_as_its_kind(kind: str) -> None:
    certificate = certify(template(kind), *example(kind), "example")
    assert certificate.kind == kind


@pytest.mark.parametrize("other", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_template_certifies_as_no_other_kind(kind: str, other: str) -> None:
    if other == kind or other in ALSO.get(kind, ()):
        assert certify(template(other), *example(kind), "example").kind == other
    else:
        with pytest.raises(Unconfirmed):
            certify(template(other), *example(kind), "example")


def test_a_certificate_says_what_where_and_with_what_effect() -> None:
    assert certified("missing_condition", DROPPED) == Certificate(
        kind="missing_condition",
        operator="by hand",
        severity="severe",
        step=1,
        start=len(TRAYS) + len("\nAfter the sale "),
        end=len(TRAYS) + len("\nAfter the sale 84"),
        before="84 - 50 = 34",
        after="84",
        answer_before="17",
        answer_after="42",
        answer_changed=True,
        method="symbolic",
        expected="84 - 50 = 34",
        claimed="84",
        quantity="50",
    )


def test_offsets_count_in_the_text_of_a_paragraph_too() -> None:
    before, after = BAKERY_TEXT.replace("\n", " "), DROPPED.replace("\n", " ")
    found = certified("missing_condition", after, before)
    assert after[found.start : found.end] == found.after == "84"
    assert found.step == 1


@pytest.mark.parametrize(
    ("result", "rest", "severity"),
    [
        ("83", "After the sale 83 - 50 = 33 rolls are left.\nThey fill 33 / 2 = 16.5 bags.",
         "minor"),
        ("74", "After the sale 74 - 50 = 24 rolls are left.\nThey fill 24 / 2 = 12 bags.",
         "moderate"),
        ("104", "After the sale 104 - 50 = 54 rolls are left.\nThey fill 54 / 2 = 27 bags.",
         "severe"),
    ],
)  # fmt: skip
def test_severity_goes_by_the_change_of_the_answer(result: str, rest: str, severity: str) -> None:
    after = f"The trays hold 6 * 14 = {result} rolls.\n{rest}"
    assert certified("arithmetic_error", after).severity == severity


def test_severity_goes_by_the_share_of_derivations_that_are_gone() -> None:
    one = certified("unsupported_leap", f"The trays hold 84 rolls.\n{SALE}\n{BAGS}")
    two = certified("unsupported_leap", f"After the sale 34 rolls are left.\n{BAGS}")
    assert (one.severity, two.severity) == ("moderate", "severe")
    assert not one.answer_changed


@pytest.mark.parametrize(
    "words",
    ["incorrectly", "by mistake", "a wrong", "in error", "oops", "instead of it", "should be",
     "forgetting it", "ignoring it", "overlooking it", "confusing it", "a flawed", "misreading it"],
)  # fmt: skip
def test_wording_that_gives_the_flaw_away_is_refused(words: str) -> None:
    after = DROPPED.replace("After the sale 84", f"After the sale, {words}, 84")
    assert refused("missing_condition", after).startswith("the wording gives the flaw away: '")


def test_a_word_that_the_parent_has_too_gives_nothing_away() -> None:
    before = BAKERY_TEXT.replace("After the sale", "After the sale instead of")
    after = DROPPED.replace("After the sale", "After the sale instead of")
    assert certified("missing_condition", after, before).kind == "missing_condition"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [BAKERY_TEXT, BAKERY_TEXT.replace(" ", "  ") + " "])
def test_unchanged_text_is_refused(kind: str, after: str) -> None:
    assert refused(kind, after) == "nothing was changed"


@pytest.mark.parametrize("marker", ["<<6*14=84>>", ">>", "#### 42", "\\boxed{42}"])
def test_annotations_and_answer_markers_are_refused(marker: str) -> None:
    message = refused("missing_condition", f"{DROPPED} {marker}")
    assert message == "an annotation or answer marker is left in the text"


@pytest.mark.parametrize("kind", KINDS)
def test_two_reworded_steps_are_refused(kind: str) -> None:
    after = DROPPED.replace("They fill", "They have filled")
    assert refused(kind, after) == "more than one step was reworded"


def test_an_operand_from_nowhere_is_refused_whatever_the_postconditions_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anything = Evidence(step=1, start=0, end=5, before="")
    monkeypatch.setitem(POSTCONDITIONS, "anything", lambda _: anything)  # type: ignore[arg-type]
    lenient = template("missing_condition").model_copy(update={"postconditions": ("anything",)})
    given = traced(BAKERY, f"{TRAYS}\nIt is 84 - 6 = 78 rolls.\n{BAGS}".replace("34 / 2", "14 / 2"))
    assert certify(lenient, bakery(), given, "by hand").after == "It is"
    nowhere = traced(BAKERY, f"{TRAYS}\nIt is 84 - 7 = 77 rolls.\n{BAGS}")
    with pytest.raises(Unconfirmed, match="7 is used but neither given nor derived"):
        certify(lenient, bakery(), nowhere, "by hand")


def test_unsupported_operands_are_neither_given_nor_derived() -> None:
    assert unsupported(bakery()) == []
    assert unsupported(traced(BAKERY, "It is 6 * 9 = 54, then 54 + 6 = 60 of 77.")) == [9]


def test_a_kind_without_a_postcondition_that_locates_is_refused() -> None:
    vague = template("missing_condition").model_copy(
        update={"postconditions": ("equations_true", "answer_changed")}
    )
    with pytest.raises(Unconfirmed, match="no postcondition of missing_condition locates"):
        certify(vague, bakery(), traced(BAKERY, DROPPED), "by hand")


# --- check_sound ---


@pytest.mark.parametrize(
    ("twin", "message"),
    [
        (BAKERY_TEXT.replace("= 84", "= 74"), "'6 * 14 = 74' does not hold"),
        (f"{TRAYS}\n{SALE}", "the twin ends on another value"),
        (f"{BAKERY_TEXT} #### 17", "an annotation or answer marker is left in the text"),
        (f"{TRAYS}\n84 - 50 = 34.\n34 / 4 * 2 = 17.", "4 is used but neither given nor derived"),
        (f"{SALE}\n{BAGS}", "84 is used but neither given nor derived"),
        ("14 * 7 = 98.\n98 - 14 = 84.\n84 - 50 = 34.\n34 / 2 = 17.",
         "7 is used but neither given nor derived"),
    ],
)  # fmt: skip
def test_check_sound_refuses(twin: str, message: str) -> None:
    with pytest.raises(Unconfirmed) as refusal:
        check_sound(bakery(), traced(BAKERY, twin))
    assert str(refusal.value) == message


def test_check_sound_refuses_a_lost_quantity() -> None:
    problem, before = "8 pens, 3 more, 3 lost, 5 packs", "8 + 5 = 13.\n13 + 3 = 16.\n16 - 3 = 13."
    with pytest.raises(Unconfirmed, match="3 is not used any more"):
        check_sound(
            traced(problem, before), traced(problem, "8 + 5 = 13.\n8 + 5 = 13.\n5 + 8 = 13.")
        )


def test_check_sound_refuses_a_lost_operation() -> None:
    problem = "3 red, 4 blue and 7 green pens for 14 men"
    before = "3 + 4 = 7 pens.\n7 + 7 = 14.\n14 / 7 = 2."
    with pytest.raises(Unconfirmed, match="an operation of the derivation is gone"):
        check_sound(traced(problem, before), traced(problem, "3 + 4 = 7 pens.\n14 / 7 = 2."))


def test_check_sound_takes_a_rewording_and_the_reference_itself() -> None:
    check_sound(bakery(), bakery())
    check_sound(bakery(), traced(BAKERY, "They fill ((6 * 14) - 50) / 2 = 17 bags."))
    check_sound(bakery(), traced(BAKERY, f"{TRAYS}\nCheck: 84 / 14 = 6.\n{SALE}\n{BAGS}"))


def test_check_sound_allows_the_constants_of_the_reference() -> None:
    problem = "He runs 3 hours."
    reference = traced(problem, "He runs 3 * 60 = 180 minutes.")
    check_sound(reference, traced(problem, "That is 60 * 3 = 180 minutes."))
    with pytest.raises(Unconfirmed, match="18 is used but neither given nor derived"):
        check_sound(reference, traced(problem, "That is 60 * 3 + 18 - 18 = 180 minutes."))


# --- recheck ---


@pytest.fixture(scope="module")
def group() -> Group:
    seed = Seed(
        source="test",
        domain="math",
        problem=f"{BAKERY} How many bags does he fill?",
        answer="17",
        reasoning=BAKERY_TEXT,
    )
    made = make_group(seed, 0)
    assert isinstance(made, Group)
    return made


def changed(group: Group, trace: Trace, **update: object) -> Group:
    """The group with one trace tampered with, unvalidated as a file on disk would be."""
    other = trace.model_copy(update=update)
    traces = tuple(other if one is trace else one for one in group.traces)
    return group.model_copy(update={"traces": traces})


def flawed(group: Group) -> list[Trace]:
    return [trace for trace in group.traces if trace.role == "flawed"]


def test_a_finished_group_is_confirmed(group: Group) -> None:
    assert recheck(group) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("severity", None), ("step", 9), ("start", 0), ("before", "x"), ("answer_after", "999"),
        ("expected", "x"), ("claimed", "x"), ("quantity", "x"), ("propagation", "local"),
    ],
)  # fmt: skip
def test_a_certificate_that_says_something_else_is_found(
    group: Group, field: str, value: object
) -> None:
    for trace in flawed(group):
        assert trace.certificate is not None
        if field == "severity":
            value = "minor" if trace.certificate.severity != "minor" else "severe"
        if getattr(trace.certificate, field) == value:
            continue
        tampered = trace.certificate.model_copy(update={field: value})
        (line,) = recheck(changed(group, trace, certificate=tampered))
        assert line == f"{trace.trace_id}: the texts give another certificate: {field}"


def test_a_flawed_trace_without_a_certificate_or_parent_is_found(group: Group) -> None:
    trace = flawed(group)[0]
    for update in ({"certificate": None}, {"parent_id": None}, {"kind": "no_such_kind"}):
        (line,) = recheck(changed(group, trace, **update))
        assert line == f"{trace.trace_id}: no certificate, parent or template to check against"


def test_a_twin_that_is_not_sound_is_found(group: Group) -> None:
    twin = next(trace for trace in group.traces if trace.role == "twin")
    wrong = BAKERY_TEXT.replace("= 84", "= 74")
    lines = recheck(changed(group, twin, text=wrong, steps=tuple(wrong.split("\n"))))
    assert f"{twin.trace_id}: '6 * 14 = 74' does not hold" in lines


def test_a_flawed_trace_that_says_what_its_parent_says_is_found(group: Group) -> None:
    trace = flawed(group)[0]
    parent = next(one for one in group.traces if one.trace_id == trace.parent_id)
    (line,) = recheck(changed(group, trace, text=parent.text, steps=parent.steps))
    assert line == f"{trace.trace_id}: nothing was changed"


def test_another_kind_than_the_certificates_does_not_confirm(group: Group) -> None:
    for trace in flawed(group):
        other = "wrong_operation" if trace.kind == "arithmetic_error" else "arithmetic_error"
        assert len(recheck(changed(group, trace, kind=other))) == 1
