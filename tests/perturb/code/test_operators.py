"""Operators on single sentences: what they propose, the program, and where they stay silent."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.perturb.code.programs import LOWEST, ROWS, TOTAL, plain, proposed
from tracelift_groups.perturb.code.facts import facts_of
from tracelift_groups.perturb.code.operators import OPERATOR_NAMES, SENTENCE_OPERATORS, proposals
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.text import CodeTrace
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.reference.code import clean


class Says(NamedTuple):
    """A sentence, one change that is proposed, and what the program then has for what."""

    by: str
    sentence: str
    source: str
    operator: str
    text: str
    old: str
    new: str


SEARCH = """\
def find(xs, x):
    left = 0
    right = len(xs) - 1
    while left <= right:
        mid = (left + right) // 2
        if xs[mid] == x:
            return mid
        if xs[mid] < x:
            left = mid + 1
        else:
            right = mid - 1
    return -1
"""
SCAN = """\
def scan(xs, k):
    stack, best = [], abs(k)
    for i in range(len(xs)):
        while stack and xs[stack[-1]] > xs[i]:
            stack.pop()
        if stack and i >= k:
            best = max(best, sum(xs[i:k]))
        count = 0
        count += xs[i] * 2
        stack.append(i)
    return best
"""
MERGE = """\
def merge(spans):
    if not spans:
        return []
    spans.sort()
    out = []
    for start, end in spans:
        if len(out) >= 2:
            out.append(end)
    return out
"""
QUEUE = """\
from collections import deque
def order(starts, limit):
    queue = deque(starts)
    count = 0
    total = 0
    seen = set()
    while queue:
        node = queue.popleft()
        if node in seen:
            continue
        seen.add(node)
        total += node
        if node > limit:
            count += 1
    return max(total, count)
"""
STATES = """\
def states(xs, k):
    total = 0
    count = 0
    top = float('-inf')
    seen = set()
    last = xs[0]
    for x in xs:
        print(last in seen)
        total += x
        top = max(top, x)
        seen.add(x)
        if x > k:
            count += 1
        last = x
    return total, count, top
"""
CODE, RANGE = "change_quoted_code", "change_range"
SAYS = [
    Says(CODE, "We go on while `left <= right`.", SEARCH, "strictness",
         "We go on while `left < right`.", "left <= right", "left < right"),
    Says(CODE, "We go on `while left <= right:`.", SEARCH, "strictness",
         "We go on `while left < right:`.", "left <= right", "left < right"),
    Says(CODE, "as long as left <= right holds", SEARCH, "strictness",
         "as long as left < right holds", "left <= right", "left < right"),
    Says(CODE, r"as long as \( left <= right \)", SEARCH, "strictness",
         r"as long as \( left < right \)", "left <= right", "left < right"),
    Says(CODE, "When `x > xs[mid]`, go right.", SEARCH, "strictness",
         "When `x >= xs[mid]`, go right.", "xs[mid] < x", "x >= xs[mid]"),
    Says(CODE, "When `xs[mid] < x`, go right.", SEARCH, "turn_comparison",
         "When `xs[mid] > x`, go right.", "xs[mid] < x", "xs[mid] > x"),
    Says(CODE, "Start at `len(xs) - 1`.", SEARCH, "drop_one",
         "Start at `len(xs)`.", "len(xs) - 1", "len(xs)"),
    Says(CODE, "Then `left = mid + 1`.", SEARCH, "drop_one",
         "Then `left = mid`.", "left = mid + 1", "left = mid"),
    Says(CODE, "The middle is `(left + right) // 2`.", SEARCH, "other_operation",
         "The middle is `(left - right) // 2`.", "left + right", "left - right"),
    Says(CODE, "`left = 0` at first.", SEARCH, "shift_start",
         "`left = 1` at first.", "left = 0", "left = 1"),
    Says(CODE, "`i` runs over `range(len(xs))`.", SCAN, "late_start",
         "`i` runs over `range(1, len(xs))`.", "range(len(xs))", "range(1, len(xs))"),
    Says(CODE, "`i` runs over `range(len(xs))`.", SCAN, "early_end",
         "`i` runs over `range(len(xs) - 1)`.", "range(len(xs))", "range(len(xs) - 1)"),
    Says(CODE, "The loop is over `range(1, n + 1)`.", TOTAL, "early_start",
         "The loop is over `range(0, n + 1)`.", "range(1, n + 1)", "range(0, n + 1)"),
    Says(CODE, "The loop is over `range(1, n + 1)`.", TOTAL, "drop_one",
         "The loop is over `range(1, n)`.", "range(1, n + 1)", "range(1, n)"),
    Says(CODE, "The top is `stack[-1]`.", SCAN, "shift_index",
         "The top is `stack[-2]`.", "stack[-1]", "stack[-2]"),
    Says(CODE, "Cut `xs[i:k]` out.", SCAN, "shift_slice",
         "Cut `xs[i + 1:k]` out.", "xs[i:k]", "xs[i + 1:k]"),
    Says(CODE, "Take `max(best, sum(xs[i:k]))`.", SCAN, "other_call",
         "Take `min(best, sum(xs[i:k]))`.", "max(best", "min(best"),
    Says(CODE, "It starts as `abs(k)`.", SCAN, "drop_call",
         "It starts as `(k)`.", "abs(k)", "k"),
    Says(CODE, "Where `stack and i >= k`, look.", SCAN, "other_connective",
         "Where `stack or i >= k`, look.", "stack and i >= k", "stack or i >= k"),
    Says(CODE, "Where `stack and i >= k`, look.", SCAN, "drop_check",
         "Where `i >= k`, look.", "stack and i >= k", "i >= k"),
    Says(CODE, "Do `count += xs[i] * 2`.", SCAN, "overwrite",
         "Do `count = xs[i] * 2`.", "count += xs[i] * 2", "count = xs[i] * 2"),
    Says(RANGE, "We go from 1 to `n`.", TOTAL, "late_start",
         "We go from 2 to `n`.", "range(1, n + 1)", "range(2, n + 1)"),
    Says(RANGE, "We go from 1 to `n`.", TOTAL, "early_end",
         "We go from 1 to `n - 1`.", "range(1, n + 1)", "range(1, n)"),
    Says(RANGE, r"We go from \( 1 \) up to \( n \).", TOTAL, "early_end",
         r"We go from \( 1 \) up to \( n - 1 \).", "range(1, n + 1)", "range(1, n)"),
    Says("change_start", "We initialize `result` to 0 and go on.", TOTAL, "shift_start",
         "We initialize `result` to 1 and go on.", "result = 0", "result = 1"),
    Says("change_start", "`result` starts at `0`, then grows.", TOTAL, "shift_start",
         "`result` starts at `1`, then grows.", "result = 0", "result = 1"),
    Says("change_comparison", "If `out` has at least two entries, append.", MERGE, "strictness",
         "If `out` has more than two entries, append.", "len(out) >= 2", "len(out) > 2"),
    Says("change_comparison", "A node greater than `limit` is counted.", QUEUE, "strictness",
         "A node at least `limit` is counted.", "node > limit", "node >= limit"),
    Says("change_order", "Sort the intervals in ascending order.", MERGE, "reverse_sort",
         "Sort the intervals in descending order.", "spans.sort()", "spans.sort(reverse=True)"),
    Says("change_order", "First we sort the intervals.", MERGE, "reverse_sort",
         "First we sort the intervals in descending order.",
         "spans.sort()", "spans.sort(reverse=True)"),
    Says("change_extreme", "The result is the maximum of `total` and `count`.", QUEUE,
         "other_extreme", "The result is the minimum of `total` and `count`.",
         "max(total, count)", "min(total, count)"),
    Says("change_end", "Take a node from the front of the queue.", QUEUE, "other_end",
         "Take a node from the back of the queue.", "queue.popleft()", "queue.pop()"),
    Says("change_state", "Add each number to `total`.", STATES, "running_sum",
         "Store each number in `total`.", "total += x", "total = x"),
    Says("change_state", "We increment `count` by 1.", STATES, "running_count",
         "We set `count` to 1.", "count += 1", "count = 1"),
    Says("change_state", "We add `x` to the set `seen`.", STATES, "all_seen",
         "We keep only `x` in the set `seen`.", "seen.add(x)", "seen.clear()\n        seen.add(x)"),
    Says("change_state", "We keep the largest one in `top`.", STATES, "running_best",
         "We keep the latest one in `top`.", "top = max(top, x)", "top = x"),
    Says("change_state", "Then update `last` to `x`.", STATES, "carried",
         "Then leave `last` as it is.", "\n        last = x", ""),
    Says("drop_boundary", "If the list is empty, return an empty list.", MERGE, "drop_guard", "",
         "    if not spans:\n        return []\n", ""),
    Says("drop_boundary", "When `not xs`, we return `0`.", LOWEST, "drop_guard", "",
         "    if not xs:\n        return 0\n", ""),
    Says("drop_boundary", "If `node in seen`, we skip it.", QUEUE, "drop_guard", "",
         "        if node in seen:\n            continue\n", ""),
]  # fmt: skip


@pytest.mark.parametrize("case", SAYS, ids=lambda case: f"{case.by}-{case.operator}")
def test_a_sentence_and_the_program_change_alike(case: Says) -> None:
    assert plain(case.source).count(case.old) == 1, "the case itself is wrong"
    program = plain(plain(case.source).replace(case.old, case.new))
    found = [
        (one.text, one.program)
        for one in proposed(case.by, case.sentence, case.source)
        if one.operator == case.operator
    ]
    assert (case.text, program) in found


SILENT = [
    (CODE, "Look at `mid`, `-1` and `xs.append`.", SEARCH),  # names, constants
    (CODE, "A loop `while left < right` would stop too early.", SEARCH),  # not the program's
    (CODE, "We go on while the left end is in front.", SEARCH),
    (CODE, "The bound `right` is inclusive.", SEARCH),
    (CODE, "`x += 1` four times", "x = 0\nx += 1\nx += 1\nx += 1\nx += 1\n"),  # which is meant?
    (RANGE, "We go from 0 to `n`.", TOTAL),
    (RANGE, "We go from 1 to `k`.", TOTAL),
    (RANGE, "From time to time we stop.", TOTAL),
    (RANGE, "We go from 1 to `n`.", LOWEST),
    ("change_start", "We initialize `result` to 5 and go on.", TOTAL),
    ("change_start", "We initialize `other` to 0 and go on.", TOTAL),
    ("change_start", "`result` counts from 0 to 10.", TOTAL),
    ("change_start", "`x` starts at 0 here.", "x = 0\ny = x\nx = 0\n"),  # set twice
    ("change_comparison", "If `out` has at least three entries, append.", MERGE),
    ("change_comparison", "If there are at least two of them, append.", MERGE),
    ("change_comparison", "If `out` has at most two entries, skip.", MERGE),
    ("change_comparison", "At least we tried.", MERGE),
    ("change_order", "Ascending order is what we need.", MERGE),
    ("change_order", "Sort the intervals in ascending order.", TOTAL),
    ("change_order", "Sort by the start, ascending, not descending.", MERGE),  # two words of order
    ("change_order", "Sort the intervals.", "a.sort()\nb.sort()\ng(a, b)\n"),
    ("change_extreme", "The result is the minimum of `total` and `count`.", QUEUE),
    ("change_extreme", "The result is the maximum of both.", QUEUE),
    ("change_extreme", "The maximum of `a` and `b`.", "x = max(a, b)\ny = max(b, a)\n"),
    ("change_end", "Take a node from the front of the list.", QUEUE),
    ("change_end", "Take a node from the front of the queue.", SCAN),
    ("change_state", "Add each node to `count`.", QUEUE),
    ("change_state", "We increment `total`.", QUEUE),
    ("change_state", "We track the largest `node`.", QUEUE),
    ("drop_boundary", "If the list is empty, we are happy.", MERGE),  # returns nothing
    # which of two is meant?
    ("drop_boundary", "If a list is empty, return 0.",
     "def f(a, b):\n    if not a:\n        return 0\n    if not b:\n        return 0\n    g(a)\n"),
    ("drop_boundary", "The list is never sorted twice.", MERGE),
    ("drop_boundary", "If `out` is empty, return 0.", MERGE),
    ("drop_boundary", "If it is empty, return -1.", LOWEST),
    ("drop_boundary", "If `xs[mid] == x`, return `mid`.", SEARCH),  # in a loop: no boundary
    ("deny_fact", "The result is what matters.", TOTAL),
]  # fmt: skip


@pytest.mark.parametrize(("by", "sentence", "source"), SILENT)
def test_an_operator_is_silent_where_the_program_does_not_say_so(
    by: str, sentence: str, source: str
) -> None:
    assert proposed(by, sentence, source) == []


def test_every_fact_with_an_untruth_is_denied() -> None:
    for source in (TOTAL, LOWEST, SEARCH, MERGE, QUEUE):
        for fact in facts_of(Program(source)):
            for number, words in enumerate(fact.wordings):
                wanted = [
                    (one.kind, one.operator, one.wordings[number] if one.wordings else "",
                     one.program)
                    for one in fact.untruths if one.program is not None
                ]  # fmt: skip
                assert [tuple(one) for one in proposed("deny_fact", words, source)] == wanted


@pytest.mark.parametrize("number", range(0, len(ROWS), 3))
def test_whatever_is_proposed_is_another_sentence_and_another_program(number: int) -> None:
    row = ROWS[number]
    program = Program(row["solution"])
    operators = {t.id: {choice.name for choice in t.operators} for t in load_templates("code")}
    for sentence in CodeTrace(clean(row["reasoning"])).sentences:
        made = list(proposals(sentence.text, program))
        assert len(set(made)) == len(made)
        for one in made:
            assert one.text != sentence.text
            assert one.text.count("`") % 2 == 0
            assert one.program != program.plain
            Program(one.program)
            assert one.operator in OPERATOR_NAMES
            assert one.operator in operators[one.kind]


def test_what_templates_name_is_what_operators_make() -> None:
    named = {choice.name for template in load_templates("code") for choice in template.operators}
    assert named == OPERATOR_NAMES


def test_operators_do_not_depend_on_what_ran_before() -> None:
    sentence = "We go on while `left <= right`."
    once = list(proposals(sentence, Program(SEARCH)))
    for other in SENTENCE_OPERATORS:
        proposed(other, "Sort the `xs` in ascending order.", MERGE)
    assert list(proposals(sentence, Program(SEARCH))) == once


def not_read(by: str, sentence: str, source: str, reason: str) -> Any:
    return pytest.param(by, sentence, source, marks=pytest.mark.xfail(strict=True, reason=reason))


@pytest.mark.parametrize(
    ("by", "sentence", "source"),
    [
        ("change_start", "We initialize `result` to 0.", TOTAL),  # a full stop behind the number
        ("change_start", "`result` starts at `0`.", TOTAL),
        ("change_start", "Initialize `result` to 0 and go on.", TOTAL),  # a capital
        not_read("drop_boundary", "When `not spans`, we return `[]`.", MERGE,
                 "the condition is in marks, not in words"),
        not_read("change_state", "We keep the largest one in `best`.",
                 STATES.replace("top", "best"), "the name is taken for the word"),
        not_read(CODE, r"We go on as long as \( left \leq right \).", SEARCH,
                 "there is no `<=` in the formula"),
    ],
)  # fmt: skip
def test_a_common_wording_is_read(by: str, sentence: str, source: str) -> None:
    assert [one for one in proposed(by, sentence, source) if one.operator != "turn_comparison"]


def test_a_capital_stays_one() -> None:
    sentence = "What `out` has to hold: At least two entries."
    (one,) = proposed("change_comparison", sentence, MERGE)
    assert one.text == "What `out` has to hold: More than two entries."
