"""What a model writes about word problems: proved, refuted, or left to a judge."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.perturb.word_problems import BAKERY, BAKERY_TEXT, KINDS, template, traced
from tracelift_groups.perturb.llm.desk import Flaw, Unsuitable
from tracelift_groups.perturb.llm.math import MathDesk
from tracelift_groups.perturb.llm.shapes import Perturbed
from tracelift_groups.perturb.math.trace import Problem

TRAYS, SALE, BAGS = BAKERY_TEXT.split("\n")
PROSE = (
    "Multiply the trays by the rolls on each.\nFrom that take what was sold.\n"
    "What is left goes into bags, two by two."
)


def desk(reference: str = BAKERY_TEXT) -> MathDesk:
    return MathDesk(Problem(BAKERY), traced(BAKERY, reference))


def flaw(kind: str, text: str, parent: str = BAKERY_TEXT) -> Flaw:
    return desk(parent).flaw(template(kind), traced(BAKERY, parent), Perturbed(reasoning=text))


def refused(kind: str, text: str, parent: str = BAKERY_TEXT) -> Unsuitable:
    with pytest.raises(Unsuitable) as unsuitable:
        flaw(kind, text, parent)
    return unsuitable.value


@pytest.mark.parametrize("kind", KINDS)
def test_a_flaw_whose_postconditions_hold_is_proven(kind: str) -> None:
    shown = template(kind).example
    made = MathDesk(Problem(shown.problem), traced(shown.problem, shown.before)).flaw(
        template(kind), traced(shown.problem, shown.before), Perturbed(reasoning=shown.after)
    )
    assert made.proven
    certificate = made.certificate
    assert (certificate.kind, certificate.operator) == (kind, "model")
    assert certificate.method == "symbolic"
    assert (certificate.judge, certificate.quote) == (None, None)
    assert made.trace.text[certificate.start : certificate.end] == certificate.after


def test_answer_lines_and_annotations_are_cut_off() -> None:
    text = f"{TRAYS.replace('84', '<<6*14=74>>74')}\n{SALE.replace('84 - 50 = 34', '74 - 50 = 24')}"
    made = flaw("arithmetic_error", f"{text}\nThey fill 24 / 2 = 12 bags.\n#### 12")
    assert made.proven
    assert made.trace.steps[-1] == "They fill 24 / 2 = 12 bags."
    assert "<<" not in made.trace.text


WORKED_ON = f"{TRAYS}\nAfter the sale 84 + 50 = 134 rolls are left.\nThey fill 134 / 2 = 67 bags."
REFUTED = {
    "arithmetic error without a false equation": (
        "arithmetic_error",
        WORKED_ON,
        "every equation holds",
    ),
    "wrong operation with a false equation": (
        "wrong_operation",
        WORKED_ON.replace("134 rolls", "124 rolls").replace("134 / 2 = 67", "124 / 2 = 62"),
        "step 1 states an equation that does not hold",
    ),
    "wrong operation with the same answer": (
        "wrong_operation",
        f"{TRAYS}\nAfter the sale 84 - 50 = 34 rolls are left.\nThey fill 34 / 2 = 17 whole bags.",
        "the answer is still the same",
    ),
    "leap with no step gone": ("unsupported_leap", WORKED_ON, "no step is gone"),
    "premature answer that is no intermediate value": (
        "premature_answer",
        f"{TRAYS}\nThey fill 84 / 2 = 42 bags.",
        "it does not end on an intermediate value",
    ),
    "missing condition with a false equation": (
        "missing_condition",
        f"{TRAYS}\nAfter the sale 84 rolls are left.\nThey fill 84 / 2 = 41 bags.",
        "step 2 states an equation that does not hold",
    ),
}


@pytest.mark.parametrize("name", REFUTED)
def test_what_can_be_read_refutes_a_flaw(name: str) -> None:
    kind, text, why = REFUTED[name]
    unsuitable = refused(kind, text)
    assert (unsuitable.reason, unsuitable.detail) == ("not_the_kind", why)


def test_what_is_neither_proved_nor_refuted_is_for_a_judge() -> None:
    made = flaw("wrong_operation", WORKED_ON.replace("84 + 50 = 134", "84 + 2 * 25 = 134"))
    assert not made.proven
    certificate = made.certificate
    assert certificate.method == "judged"
    assert certificate.step == 1
    assert (certificate.answer_before, certificate.answer_after) == ("17", "67")
    assert certificate.answer_changed
    assert certificate.severity == "severe"
    assert made.trace.text[certificate.start : certificate.end] == certificate.after
    assert certificate.before == "- 50 = 34"


def test_prose_is_for_a_judge_and_its_effect_is_not_known() -> None:
    text = PROSE.replace("take what was sold", "add what was sold")
    for kind in KINDS:
        made = flaw(kind, text, PROSE)
        assert not made.proven, kind
        certificate = made.certificate
        assert (certificate.step, certificate.before, certificate.after) == (1, "take", "add")
        assert (certificate.answer_before, certificate.answer_after) == (None, None)
        assert not certificate.answer_changed
        assert certificate.severity == "moderate"
        assert certificate.judge is None


def test_a_false_equation_refutes_a_true_kind_in_prose_too() -> None:
    text = f"{PROSE}\nSo 2 + 2 = 5."
    assert refused("wrong_operation", text, PROSE).reason == "not_the_kind"


TWIN = (
    "With 14 rolls on each of 6 trays there are 14 * 6 = 84 rolls.\n"
    "Of these 50 are sold, which leaves 84 - 50 = 34.\n"
    "Packed by 2 they make 34 / 2 = 17 bags."
)


def test_a_twin_that_can_be_followed_is_proven() -> None:
    twin = desk().twin(TWIN)
    assert twin.proven
    assert twin.trace.text == TWIN
    assert desk().twin(f"{TWIN}\nThe answer is 17.").trace.text == TWIN


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (TWIN.replace("34 / 2 = 17", "34 / 2 = 18"), "step 2 states an equation"),
        (TWIN.replace("84 - 50 = 34", "84 + 50 = 134").replace("34 / 2 = 17", "134 / 2 = 67"),
         "it ends on 67, the reference on 17"),
    ],
)  # fmt: skip
def test_a_twin_that_is_wrong_is_refused(text: str, detail: str) -> None:
    with pytest.raises(Unsuitable) as unsuitable:
        desk().twin(text)
    assert unsuitable.value.reason == "unsound"
    assert unsuitable.value.detail.startswith(detail)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (BAKERY_TEXT, PROSE),
        (PROSE, "Count the rolls on the trays, then take the sold ones away. Halve what is left."),
        (PROSE, TWIN.replace(" rolls on each", "")),
    ],
)
def test_a_twin_of_which_nothing_can_be_said_is_for_a_judge(reference: str, text: str) -> None:
    assert not desk(reference).twin(text).proven


HOSTILE = {
    "nothing": "",
    "only an answer": "#### 17",
    "far too long": "x" * 60_001,
    "a number of 50,000 digits": f"The trays hold 6 * 14 = {'9' * 50_000} rolls.",
    "a product of huge numbers": f"So {'9' * 20_000} * {'9' * 20_000} = 84.",
    "a tower of powers": "So 9 ** 9 ** 9 ** 9 = 17 and 9^9^9^9 = 17.",
    "a huge power": "So 2 ** 1000000000 = 17 and 10^99999999 = 17.",
    "deep brackets": f"{'(' * 20_000}6 * 14{')' * 20_000} = 84 rolls.",
    "open brackets": "(" * 59_000,
    "signs": f"{'- ' * 20_000}1 = 17",
    "a long sum": f"{'1 + ' * 14_000}1 = 17",
    "a division by zero": "So 6 / 0 = 84 and 0 / 0 = 1.",
    "nested fractions": "\\frac{1}{" * 6_000,
    "open annotations": "<<" * 29_000,
    "an endless line of sums": "1 + 1 = 2. " * 5_400,
    "signs that are no text": "6 * 14 = 84\x00\x01 ²½⅓٣ ∞ rolls",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_of_a_hostile_text_nothing_is_proven_and_nothing_breaks(name: str) -> None:
    for text in (HOSTILE[name], f"{BAKERY_TEXT}\n{HOSTILE[name]}"):
        with suppress(Unsuitable):
            assert not desk().twin(text).proven
        for kind in ("arithmetic_error", "unsupported_leap"):
            with suppress(Unsuitable):
                assert not flaw(kind, text).proven


@pytest.mark.parametrize("name", ["nothing", "only an answer", "far too long", "a long sum"])
def test_what_is_no_reasoning_is_unsuitable(name: str) -> None:
    with pytest.raises(Unsuitable):
        desk().twin(HOSTILE[name])
    with pytest.raises(Unsuitable):
        flaw("wrong_operation", HOSTILE[name])


def test_a_word_problem_has_no_program() -> None:
    assert (desk().problem, desk().program) == (BAKERY, None)
