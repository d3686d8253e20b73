"""Twins: what counts as the same, what the engine makes, and what the gate refuses."""

from __future__ import annotations

import json
import re
from random import Random

import pytest

from tests.perturb.code.programs import LOWEST, ROWS, TOTAL
from tracelift_groups.perturb.code import twins
from tracelift_groups.perturb.code.checks import check_sound
from tracelift_groups.perturb.code.engine import Engine
from tracelift_groups.perturb.code.evidence import Unconfirmed
from tracelift_groups.perturb.code.facts import facts_of
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.runs import Runs
from tracelift_groups.perturb.code.text import CodeTrace, Edit
from tracelift_groups.perturb.code.wording import SYNONYMS, normal, respelled, reworded
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.reference.code import CodeReference, clean
from tracelift_groups.verify.cases import CaseTests, read_tests

NO_TESTS = CaseTests(())
SEEDS = range(4)
TEXT = """\
1. If `xs` is empty, we return 0 at once.
2. We start with `best = xs[0]`, the first of at least 1 numbers.
3. Then we iterate over `xs` while `i < n` holds, and do `best += 1`.
4. This approach is efficient and easy to read.

In the end `best` is returned for each case."""


def reference(text: str = TEXT, source: str = LOWEST) -> CodeReference:
    return CodeReference(CodeTrace(text), Program(source), NO_TESTS)


def refused(text: str, *, of: str = TEXT, source: str = LOWEST) -> str | None:
    try:
        check_sound(reference(of, source), CodeTrace(text))
    except Unconfirmed as reason:
        return str(reason)
    return None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("If `a > b`, stop.", "If `b < a`, stop."),
        ("Do `x += 1`.", "Do `x = x + 1`."),
        ("We iterate over `xs`.", "We loop through `xs`."),
        ("It is greater than 3.", "It is larger than 3."),
        ("For each item", "for every item"),
        ("**Idea**: We sort.", "Idea: We sort."),
        ("Use `f(a,b)`.", "Use `f(a, b)`."),
        (r"With \( n \) items", "With `n` items"),
        ("Check if it is so.", "Check whether it  is so."),
    ],
)
def test_what_means_the_same_is_the_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("If `a > b`, stop.", "If `a < b`, stop."),
        ("If `a > b`, stop.", "If `a >= b`, stop."),
        ("Do `x += 1`.", "Do `x -= 1`."),
        ("It is greater than 3.", "It is less than 3."),
        ("It is less than 3.", "It is at most 3."),
        ("It is 3.", "It is 4."),
        ("Use `xs[i]`.", "Use `xs[j]`."),
        ("If it is so, stop.", "Stop."),
        ("We never stop.", "We stop."),
        ("Sort in ascending order.", "Sort in descending order."),
        ("`N` is read.", "`n` is read."),
        ("Go on `while a < b`.", "Go on `if a < b`."),
        ("Use `for i in range(n)`.", "Use `for j in range(n)`."),
    ],
)
def test_what_differs_is_not_the_same(one: str, other: str) -> None:
    assert normal(one) != normal(other)


def test_words_of_two_rows_are_never_the_same() -> None:
    words = [word for row in SYNONYMS for word in row]
    assert len(set(words)) == len(words)
    for row in SYNONYMS:
        assert len({normal(f"we {word} it") for word in row}) == 1


def test_a_noun_is_not_reworded_as_a_verb() -> None:
    sentence = "A double loop over `range(n)` finds it."
    made = {reworded(sentence, Random(seed), 1.0) for seed in range(20)}
    assert not [one for one in made if re.match("A double (?:iterate|go) ", one)]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_a_rewording_means_the_same(row: dict[str, str]) -> None:
    trace = CodeTrace(clean(row["reasoning"]))
    for seed in SEEDS:
        rng = Random(seed)
        for sentence in trace.sentences:
            made = respelled(reworded(sentence.text, rng, 1.0), rng, 1.0)
            assert normal(made) == normal(sentence.text), made
            assert made[:1].isupper() == sentence.text[:1].isupper()


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_each_way_to_reword_gives_a_sound_trace(row: dict[str, str]) -> None:
    own = reference(clean(row["reasoning"]), row["solution"])
    facts = list(facts_of(own.program))
    for seed in SEEDS:
        rng = Random(seed)
        for made in (
            twins.say_otherwise(own.trace, rng),
            twins.say_less(own.trace, rng),
            twins.say_more(own.trace, facts[:3], rng),
            twins.lay_out(own.trace, rng),
        ):
            check_sound(own, made)


def test_more_is_said_where_the_text_speaks_of_the_same() -> None:
    own = reference()
    (guard,) = (fact for fact in facts_of(own.program) if fact.form == "guard")
    made = twins.say_more(own.trace, [guard], Random(0))
    added = [one.text for one in made.sentences if one.text not in TEXT]
    assert len(added) == 1
    assert added[0] in guard.wordings
    at = next(one.line for one in made.sentences if one.text == added[0])
    assert "xs" in own.trace.lines[at]
    assert twins.say_more(made, [guard], Random(0)).text.count(added[0]) == 1


def test_what_is_left_out_says_nothing_of_its_own() -> None:
    own = reference()
    gone = set[str]()
    for seed in range(40):
        kept = {one.text for one in twins.say_less(own.trace, Random(seed)).sentences}
        gone |= {one.text for one in own.trace.sentences} - kept
    assert gone == {"This approach is efficient and easy to read."}


@pytest.mark.parametrize(
    ("sentence", "goes"),
    [
        ("This approach is easy to follow.", True),
        ("This approach goes over `ys`.", False),
        ("This approach does `best += 1`.", False),  # says more than names
        ("This approach is O(n) in `xs`.", False),
        ("This approach returns `best`.", False),
        ("This approach stops when `xs` is done.", False),
        ("This approach needs 7 of them.", False),
    ],
)
def test_a_sentence_may_go_only_where_nothing_is_lost(sentence: str, goes: bool) -> None:
    assert twins.can_go(sentence, TEXT.split("\n")) is goes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return 0", "return 1"),
        ("`xs[0]`", "`xs[1]`"),
        ("best = xs[0]", "best = xs[1]"),
        ("at least 1", "at most 1"),
        ("`i < n`", "`i <= n`"),
        ("`i < n`", "`n < i`"),
        ("`best += 1`", "`best -= 1`"),
        ("If `xs` is empty, we return 0 at once.", "We return 0 at once."),
        ("1. If `xs` is empty, we return 0 at once.\n", ""),
        (" while `i < n` holds,", ""),
        ("In the end", "Nearly always"),
        ("In the end `best` is returned for each case.", ""),
        ("4. This", "4. It is quick. This"),
        ("In the end", "```\nreturn best\n```\nIn the end"),
        ("In the end", "~~~python\nreturn best\n~~~\nIn the end"),
    ],
)
def test_a_twin_that_says_something_else_is_refused(old: str, new: str) -> None:
    assert TEXT.count(old) >= 1 or old == "`xs[0]`"
    changed = TEXT.replace(old, new)
    if changed == TEXT:
        changed = TEXT.replace("xs[0]", "xs[1]")
    assert refused(changed) is not None
    assert refused(TEXT) is None


def test_a_fact_of_the_program_may_be_added_and_its_untruth_not() -> None:
    own = reference(source=TOTAL)
    for fact in facts_of(own.program):
        for number, words in enumerate(fact.wordings):
            assert refused(f"{TEXT} {words}", source=TOTAL) is None
            for untruth in fact.untruths:
                if untruth.wordings:
                    said = untruth.wordings[number]
                    assert refused(f"{TEXT} {said}", source=TOTAL) is not None


def test_a_fact_of_another_program_is_refused() -> None:
    ours = {words for one in facts_of(Program(TOTAL)) for words in one.wordings}
    others = {words for one in facts_of(Program(LOWEST)) for words in one.wordings} - ours
    assert others
    for words in others:
        assert refused(f"{TEXT} {words}", source=TOTAL) is not None


def test_sentences_may_not_trade_places() -> None:
    text = "If `xs` is empty, we stop. Otherwise, we sort. If `n` is 3, we add it."
    assert refused("If `xs` is empty, we stop. If `n` is 3, we add it. Otherwise, we sort.",
                   of=text) is not None  # fmt: skip


@pytest.mark.parametrize(
    "sentence",
    ["Each letter may be used only once.", "The list must not be changed.",
     "Equal values do not count twice."],
)  # fmt: skip
def test_a_condition_in_words_may_not_go(sentence: str) -> None:
    assert refused(TEXT, of=f"{TEXT}\n{sentence}") is not None


@pytest.mark.parametrize("number", [3, 5, 20])
def test_the_engine_makes_twins_that_the_gate_takes(number: int, runs: Runs) -> None:
    row = ROWS[number]
    own = reference(clean(row["reasoning"]), row["solution"])._replace(
        tests=read_tests(json.dumps(row["tests"]))
    )
    templates = load_templates("code")
    made = [Engine(own, templates, f"t{number}", Random(1), runs).twins() for _ in range(2)]
    assert [one.text for one in made[0]] == [one.text for one in made[1]]
    assert 1 <= len(made[0]) <= 3
    keys = {own.trace.key, *(one.key for one in made[0])}
    assert len(keys) == len(made[0]) + 1
    for twin in made[0]:
        check_sound(own, twin)
    # and none with a number in it changed
    for twin in made[0]:
        for sentence in twin.sentences:
            spoiled = sentence.text.translate(str.maketrans("0123456789", "9876543210"))
            if spoiled != sentence.text:
                with pytest.raises(Unconfirmed):
                    check_sound(own, twin.edited([Edit(sentence, spoiled)]))
