"""Facts: which programs give which, what is false of them, and near misses that give none."""

from __future__ import annotations

import re

import pytest

from tests.perturb.code.fact_cases import FOUND, NEAR_MISSES, Found, loop
from tests.perturb.code.programs import ROWS, fact, facts, plain, quoted
from tracelift_groups.perturb.code.facts import facts_of, said_by
from tracelift_groups.perturb.code.operators import OPERATOR_NAMES
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.template import load_templates


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.form)
def test_a_fact_is_found_and_said_of_the_right_code(case: Found) -> None:
    found = fact(case.source, case.form)
    assert len(set(found.wordings)) == len(found.wordings) > 0
    for sentence in found.wordings:
        said = set(quoted(sentence.replace("`k = 5`", "`k`")))
        assert case.quotes <= said | {"0"}
    assert found.about
    assert set(found.about) <= Program(case.source).names


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.form)
def test_what_is_false_of_it_leads_to_the_program_that_it_says(case: Found) -> None:
    found = fact(case.source, case.form)
    made = [(one.kind, one.operator, one.program) for one in found.untruths]
    wanted = []
    for kind, operator, old, new in case.untruths:
        assert plain(case.source).count(old.strip()) == 1, "the case itself is wrong"
        changed = plain(case.source).replace(old.strip("\n"), new)
        wanted.append((kind, operator, plain(changed)))
    assert made == wanted


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.form)
def test_true_and_false_words_differ_and_quote_the_same_code(case: Found) -> None:
    found = fact(case.source, case.form)
    for untruth in found.untruths:
        if not untruth.wordings:
            assert untruth.operator == "drop_guard"
            continue
        assert len(untruth.wordings) == len(found.wordings)
        assert not set(untruth.wordings) & set(found.wordings)
        for true, false in zip(found.wordings, untruth.wordings, strict=True):
            assert set(quoted(false)) <= set(quoted(true))


@pytest.mark.parametrize(("form", "source"), NEAR_MISSES)
def test_a_near_miss_gives_no_fact(form: str, source: str) -> None:
    Program(source)
    assert [one.wordings[0] for one in facts(source, form)] == []


@pytest.mark.parametrize(
    ("source", "over"),
    [
        (loop("for y in n:\n    print(x, y)"), "`n`"),
        ("def f(xs):\n    for x in xs:\n        g(x)\n    for x in xs:\n        h(x)\n",
                     "`xs`"),
    ],
)  # fmt: skip
def test_what_is_walked_through_again_is_not_walked_through_once(source: str, over: str) -> None:
    said = [words for one in facts(source, "for_over") for words in one.wordings]
    assert not [words for words in said if " once" in words and over in words]


@pytest.mark.parametrize("behind", ["out.sort()", "out.insert(0, n)", "out.reverse()"])
def test_a_list_that_is_put_in_order_later_is_not_in_the_order_of_the_loop(behind: str) -> None:
    source = loop("out.append(x)", start="out = []", end=f"{behind}\n    return out")
    said = [words for one in facts(source, "gathered") for words in one.wordings]
    assert not [words for words in said if "comes first" in words]


def test_a_loop_that_breaks_does_not_reach_the_last_entry() -> None:
    source = loop("if x > 3:\n    break\nprint(x)")
    assert not [words for words in fact(source, "for_over").wordings if "the last one" in words]


def test_a_set_or_mapping_has_no_front() -> None:
    for start in ("n = set(xs)", "n = {}", "n = Counter(xs)"):
        found = fact(loop("print(x)", start=start, head="for x in n:"), "for_over")
        assert found.untruths == ()
        assert not any("front" in words or "first" in words for words in found.wordings)


def test_of_two_places_with_the_same_words_nothing_false_is_made() -> None:
    once = "    for i in range(n):\n        print(i)\n"
    twice = f"def f(n):\n{once}{once}"
    assert fact(twice, "for_range").untruths == ()


WANTING = re.compile("nothing was returned|all else|end is reached|end of", re.IGNORECASE)


def test_what_is_returned_for_want_of_another_is_said_so() -> None:
    source = "def f(n):\n    if n:\n        return 2\n    return n + 1\n"
    for words in fact(source, "returned").wordings:
        assert WANTING.search(words)


def test_what_a_helper_does_is_said_of_it() -> None:
    helper = "def half(n):\n    if n == 1:\n        return 7\n    return n // 2\n\n"
    source = f"{helper}def f(m):\n    m = half(m)\n    return m\n"
    found = [*facts(source, "guard"), *facts(source, "returned")]
    assert len(found) == 2
    assert all("`half`" in words for one in found for words in one.wordings)


def test_what_an_inner_function_gives_is_said_of_it() -> None:
    inner = "def f(n):\n    def half(m):\n        return m // 2\n    return half(n) + 1\n"
    said = {words for one in facts(inner, "returned") for words in one.wordings}
    assert {words for words in said if "`m // 2`" in words} == {
        words for words in said if "`half`" in words
    }
    early = inner.replace(
        "        return m // 2", "        if m < 2:\n            return m\n        return m // 2"
    )
    for words in (w for one in facts(early, "returned") for w in one.wordings if "`half`" in w):
        assert WANTING.search(words)


@pytest.mark.parametrize(
    ("test", "value", "boundary"),
    [("not xs", "0", True), ("len(xs) == 1", "xs", True), ("not xs", "[]", True),
     ("not xs", "-1", True), ("n > 3", "g(xs)", False), ("n > 3", "xs + n", False)],
)  # fmt: skip
def test_a_guard_is_dropped_only_where_it_is_for_a_boundary(
    test: str, value: str, boundary: bool
) -> None:
    source = f"def f(xs, n):\n    if {test}:\n        return {value}\n    return xs[0] + n\n"
    assert [one.operator for one in fact(source, "guard").untruths] == ["drop_guard"] * boundary


def test_a_return_from_a_loop_is_no_boundary() -> None:
    assert fact(loop("if x > 3:\n    return x"), "guard").untruths == ()


def test_code_too_long_or_with_backticks_is_not_quoted() -> None:
    long = " + ".join(["x"] * 40)
    assert facts(loop(f"total += {long}", start="total = 0"), "running_sum") == []
    assert facts(loop("out.append('`')", start="out = []"), "gathered") == []


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.form)
def test_what_says_a_fact_is_one_sentence(case: Found) -> None:
    for words in fact(case.source, case.form).wordings:
        parts = CodeTrace(f"{words} Then more. `x` is next.").sentences
        assert [part.text for part in parts] == [words, "Then more.", "`x` is next."]


PROGRAMS = [row["solution"] for row in ROWS] + [case.source for case in FOUND]


@pytest.mark.parametrize("source", PROGRAMS)
def test_facts_of_any_program_are_well_formed(source: str) -> None:
    program = Program(source)
    kinds = {template.id for template in load_templates("code")}
    for found in facts_of(program):
        for words in (*found.wordings, *(w for one in found.untruths for w in one.wordings)):
            assert words.count("`") % 2 == 0
            assert "\n" not in words
            assert words.endswith(".")
            assert "{" not in "".join(words.split("`")[::2])
        for untruth in found.untruths:
            assert untruth.kind in kinds
            assert untruth.operator in OPERATOR_NAMES
            if untruth.program is not None:
                assert untruth.program != program.plain
                assert Program(untruth.program).plain == untruth.program


@pytest.mark.parametrize("row", ROWS[::5], ids=range(0, len(ROWS), 5))
def test_facts_are_the_same_each_time(row: dict[str, str]) -> None:
    def told(source: str) -> list[object]:
        return [
            (one.form, one.wordings, [(false.wordings, false.program) for false in one.untruths])
            for one in facts_of(Program(source))
        ]

    # Another layout is another key of the cache, and the same program.
    assert told(row["solution"]) == told(row["solution"] + "\n# end\n")


def test_every_sentence_is_read_back_as_its_fact() -> None:
    for row in ROWS:
        program = Program(row["solution"])
        sayings = said_by(program)
        for found in facts_of(program):
            for number, words in enumerate(found.wordings):
                saying = sayings[words]
                assert saying.fact.wordings[saying.wording] == words
                assert saying.wording == number


def test_no_sentence_is_both_true_and_false_of_a_program() -> None:
    for source in PROGRAMS:
        sayings = said_by(Program(source))
        for found in facts_of(Program(source)):
            for untruth in found.untruths:
                assert not set(untruth.wordings) & set(sayings)
