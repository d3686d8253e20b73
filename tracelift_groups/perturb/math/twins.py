"""Sound rewordings of a trace, so that no surface feature tells sound from flawed.

A twin is made by a few moves drawn at random: numbers and signs in another style, operands
commuted, steps merged, split, reordered or put another way round, working shown that was left
out, given facts restated, filler left out. Every draft passes ``checks.check_sound``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from random import Random

from tracelift_groups.perturb.math.expression import Binary, Bracket, Leaf, extent, leaves
from tracelift_groups.perturb.math.expression import Node as Tree
from tracelift_groups.perturb.math.numbers import read_numbers, render
from tracelift_groups.perturb.math.rewrite import Replacement, apply, assert_value
from tracelift_groups.perturb.math.sentences import (
    OPENING,
    lower_first,
    naming,
    upper_first,
    without_opening,
)
from tracelift_groups.perturb.math.trace import CHECK, MathTrace, Node, parse_trace

Move = Callable[[MathTrace, Random], tuple[str, ...] | None]

_OPENINGS: Mapping[str, tuple[str, ...]] = {
    "first": ("First, ", "To start, ", "To begin with, "),
    "middle": ("Then ", "Next, ", "After that, ", "Now "),
    "last": ("So ", "Finally, ", "Therefore, ", "In the end, "),
}
_SIGNS: Mapping[str, tuple[str, ...]] = {"*": ("*", "x", "×"), "/": ("/", "÷")}
_BECAUSE = re.compile(r"^(?P<claim>.+?),?\s+because\s+$")
_SENTENCE = re.compile(r"[^.?!]+(?:\.\d[^.?!]*)*[.?!]")
_LONGEST_EXPRESSION = 6
# A sentence that refers back makes no sense on its own.
_REFERS_BACK = re.compile(
    r"\b(?:he|she|they|it|this|that|these|those|his|her|their|them|him|its|if|then|remaining|rest"
    r"|another|also|other|the same|how)\b",
    re.IGNORECASE,
)


def restyle_signs(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Write the signs in another style, with or without spaces, all through."""
    times, over = rng.choice(_SIGNS["*"]), rng.choice(_SIGNS["/"])
    spaced = rng.random() < 0.7
    edits: dict[tuple[int, int], Replacement] = {}
    for node in trace.nodes:
        step = trace.steps[node.step]
        if node.step in trace.opaque:
            continue
        for operation in _operations(node):
            written = step[operation.op_start : operation.op_end]
            if written.isalpha() and len(written) > 1 or not written or _fraction(operation, step):
                continue
            sign = {"*": times, "/": over}.get(operation.op, operation.op)
            edit = _around(node.step, step, operation.op_start, operation.op_end, sign, spaced)
            edits[edit.step, edit.start] = edit
        for one, two in zip(node.equation.segments, node.equation.segments[1:], strict=False):
            at = step.find("=", one.end, two.start + 1)
            if at >= 0:
                edit = _around(node.step, step, at, at + 1, "=", spaced)
                edits[edit.step, edit.start] = edit
    return _changed(trace, apply(trace, edits.values()))


def _operations(node: Node) -> list[Binary]:
    found: list[Binary] = []

    def walk(tree: Tree) -> None:
        if isinstance(tree, Bracket):
            walk(tree.inner)
        elif isinstance(tree, Binary):
            found.append(tree)
            walk(tree.left)
            walk(tree.right)

    for segment in node.equation.segments:
        walk(segment.node)
    return found


def _fraction(operation: Binary, step: str) -> bool:
    """Whether the sign is the bar of a fraction such as 3/4, which is left alone."""
    if operation.op != "/" or not isinstance(operation.right, Leaf):
        return False
    left = operation.left
    tight = not step[operation.op_start - 1].isspace() and not step[operation.op_end].isspace()
    return tight and isinstance(left, Leaf) and left.number.value < operation.right.number.value


def _around(step: int, text: str, start: int, end: int, sign: str, spaced: bool) -> Replacement:
    """Replace a sign and the spaces around it; a letter never touches its operands."""
    while start > 0 and text[start - 1] == " ":
        start -= 1
    while end < len(text) and text[end] == " ":
        end += 1
    wide = spaced or sign == "x" or text[start - 1].isalpha() or text[end].isalpha()
    return Replacement(step, start, end, f" {sign} " if wide else sign)


def restyle_numbers(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Write thousands separators, leading zeros and idle decimals another way, all through."""
    commas = rng.random() < 0.5
    edits = []
    for index, step in enumerate(trace.steps):
        if index in trace.opaque:
            continue
        for number in read_numbers(step):
            style = number.style._replace(thousands=commas, leading_zero=True)
            if number.value.denominator == 1 and number.style.decimals:
                style = style._replace(decimals=0)
            text = render(number.value, style)
            year = 1900 <= number.value <= 2100 and not number.money
            if text and not year and text != step[number.start : number.end]:
                edits.append(Replacement(index, number.start, number.end, text))
    return _changed(trace, apply(trace, edits))


def commute(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Swap the operands of a sum or a product, units and all."""
    edits = []
    for node in trace.derivations:
        lhs, step = node.equation.lhs, trace.steps[node.step]
        if not isinstance(lhs, Binary) or lhs.op not in "+*" or node.step in trace.opaque:
            continue
        if lhs.op_start == lhs.op_end or rng.random() < 0.4:
            continue
        if not isinstance(lhs.left, Leaf) or not isinstance(lhs.right, Leaf):
            continue
        (start, one_end, one_unit), (two_start, two_end, two_unit) = map(
            extent, (lhs.left, lhs.right)
        )
        if (one_unit > one_end) != (two_unit > two_end):  # "3 bags * 4" would lose the reader
            continue
        one, two = step[start:one_unit], step[two_start:two_unit]
        edits += [
            Replacement(node.step, start, one_unit, two),
            Replacement(node.step, two_start, two_unit, one),
        ]
    return _changed(trace, apply(trace, edits))


def turn_around(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Put "A because 2 * 3 = 6" as "2 * 3 = 6, so A"."""
    steps = list(trace.steps)
    for node in trace.derivations:
        if rng.random() < 0.3:
            continue
        step, equation = trace.steps[node.step], node.equation
        match = _BECAUSE.match(step[: equation.start])
        rest = step[equation.segments[-1].unit_end :].strip(" .")
        if match and not rest and node.step not in trace.opaque:
            claim = lower_first(match["claim"])
            working = step[equation.start : equation.segments[-1].unit_end]
            steps[node.step] = f"{working}, so {claim}{'.' if step.endswith('.') else ''}"
    return _changed(trace, tuple(steps))


def openings(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Begin steps with connectives, or without those that they had."""
    steps = list(trace.steps)
    strip = rng.random() < 0.5
    for index, step in enumerate(steps):
        if index in trace.opaque or CHECK.match(step):
            continue
        bare = without_opening(step)
        if strip:
            steps[index] = upper_first(bare)
        elif rng.random() < 0.6 and bare[0].isalpha():
            place = "first" if index == 0 else "last" if index == len(steps) - 1 else "middle"
            steps[index] = rng.choice(_OPENINGS[place]) + lower_first(bare)
    return _changed(trace, tuple(steps))


def working_first(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work a step out before saying what it means: "6 times 14 is 84, so the trays hold 84"."""
    steps = list(trace.steps)
    in_words = rng.random() < 0.7
    for node in trace.derivations:
        edits = assert_value(trace, node, node.value) if rng.random() < 0.7 else None
        working = _working(trace, node, rng, in_words=in_words) if edits else None
        if edits is None or working is None:
            continue
        step = trace.steps[node.step]
        opening = step[: len(step) - len(without_opening(step))]
        rest = lower_first(without_opening(apply(trace, edits)[node.step]))
        if re.match(r"(?:that is|\W*\d)", rest):
            continue  # the step was hardly more than its working
        steps[node.step] = f"{opening}{working if opening else upper_first(working)}, so {rest}"
    return _changed(trace, tuple(steps))


_WORDS_FOR: Mapping[str, str] = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}


def _working(trace: MathTrace, node: Node, rng: Random, *, in_words: bool) -> str | None:
    """The bare equation, in signs as it stands or in words."""
    equation, step = node.equation, trace.steps[node.step]
    operations, result = _operations(node), equation.result
    if result is None or len(equation.segments) > 2:
        return None
    if not in_words:
        return step[equation.start : equation.end]
    if any(not isinstance(o.right, Leaf) or _fraction(o, step) for o in operations):
        return None
    signs = {operation.op for operation in operations}
    terms = [step[leaf.start : leaf.end].strip() for leaf in leaves(equation.lhs)]
    if len(signs) != 1 or not 2 <= len(terms) <= 5:
        return None
    sign, stated = signs.pop(), step[result.start : result.end].strip()
    if sign in "+*" and (len(terms) > 2 or rng.random() < 0.5):
        name = "sum" if sign == "+" else "product"
        return f"the {name} of {', '.join(terms[:-1])} and {terms[-1]} is {stated}"
    if len(terms) > 2:
        return None
    verb = rng.choice(("is", "leaves" if sign == "-" else "makes", "gives"))
    return f"{terms[0]} {_WORDS_FOR[sign]} {terms[1]} {verb} {stated}"


def merge_lines(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Put two neighbouring steps into one line."""
    if len(trace.steps) < 2:
        return None
    at = rng.randrange(len(trace.steps) - 1)
    one, two = trace.steps[at], trace.steps[at + 1]
    stop = "" if one.endswith((".", ":", "!", "?", ",")) else "."
    return (*trace.steps[:at], f"{one}{stop} {two}", *trace.steps[at + 2 :])


def split_sum(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work a sum of three or more terms out in two steps."""
    choices = []
    for node in trace.derivations:
        lhs = node.equation.lhs
        if not isinstance(lhs, Binary) or lhs.op not in "+-" or len(node.equation.segments) > 2:
            continue
        if node.step in trace.opaque or not isinstance(lhs.left, Binary):
            continue
        if all(op.op in "+-" for op in _operations(node)):
            choices.append(node)
    if not choices:
        return None
    node = rng.choice(choices)
    step, lhs = trace.steps[node.step], node.equation.lhs
    assert isinstance(lhs, Binary)
    start, _, end = extent(lhs.left)
    value = _sum(lhs.left)
    first = next(leaves(lhs.left)).number
    text = render(value, first.style) if value is not None else None
    if text is None:
        return None
    extra = f"{step[start:end]} = {text}"
    lead = rng.choice(("To begin with, ", "Adding the first ones: ", ""))
    rest = step[:start] + text + step[end:]
    return (*trace.steps[: node.step], lead + extra, rest, *trace.steps[node.step + 1 :])


def _sum(tree: Tree) -> Fraction | None:
    if isinstance(tree, Leaf):
        return tree.number.value
    if not isinstance(tree, Binary) or tree.op not in "+-":
        return None
    left, right = _sum(tree.left), _sum(tree.right)
    if left is None or right is None:
        return None
    return left + right if tree.op == "+" else left - right


def inline_step(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Leave a step out and work it out in brackets where its result is used."""
    choices = []
    for node in trace.derivations:
        users = trace.consumers(node)
        uses = [m for m in trace.mentions_of(node) if m.equation != node.index]
        later = [m for m in uses if m.step != node.step]
        if len(users) == 1 and len(later) == 1 and trace.alone(node) and users[0].step != node.step:
            if later[0].equation is not None and not trace.uncertain(node):
                choices.append((node, later[0]))
    if not choices:
        return None
    node, use = rng.choice(choices)
    if {node.step, use.step} & trace.opaque or not isinstance(node.equation.lhs, Binary):
        return None
    start, end, _ = extent(node.equation.lhs)
    working = trace.steps[node.step][start:end]
    edit = Replacement(use.step, use.number.start, use.number.end, f"({working})")
    return apply(trace, [edit], drop=[node.step])


def inline_all(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work steps out in brackets wherever that leaves expressions of at most six numbers."""
    done: tuple[str, ...] | None = None
    for _ in range(len(trace.nodes)):
        steps = inline_step(trace, rng)
        if steps is None:
            break
        trace = reparse(trace, steps)
        if any(sum(1 for _ in leaves(n.equation.lhs)) > _LONGEST_EXPRESSION for n in trace.nodes):
            break
        done = steps
    return done


def swap_steps(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Exchange two neighbouring steps that do not depend on each other."""
    choices = []
    for at in range(len(trace.steps) - 2):
        one, two = trace.steps[at], trace.steps[at + 1]
        feeds = any(
            m.step == at + 1 and m.source.equation is not None
            and trace.nodes[m.source.equation].step == at
            for m in trace.mentions
        )  # fmt: skip
        if feeds or {at, at + 1} & trace.opaque or _REFERS_BACK.search(two):
            continue
        if not OPENING.match(two) and not OPENING.match(one):
            choices.append(at)
    if not choices:
        return None
    at = rng.choice(choices)
    return (*trace.steps[:at], trace.steps[at + 1], trace.steps[at], *trace.steps[at + 2 :])


def restate_given(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Say a fact of the problem before the step that uses it."""
    choices = []
    for match in _SENTENCE.finditer(trace.problem.text):
        sentence = match[0].strip()
        if _REFERS_BACK.search(sentence) or not 20 <= len(sentence) <= 110 or "?" in sentence:
            continue
        values = {number.value for number in read_numbers(sentence)}
        user = next(
            (
                m.step
                for m in trace.mentions
                if m.equation is not None and m.source.kind == "problem" and m.number.value in values
            ),
            None,
        )
        if user is not None and sentence.rstrip(".") not in trace.text:
            choices.append((user, sentence))
    if not choices:
        return None
    at, sentence = rng.choice(choices)
    return (*trace.steps[:at], sentence, *trace.steps[at:])


def state_goal(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Begin by saying what is asked, in the problem's words."""
    found = re.search(r"(?:^|[.!?]\s+)((?:How|What)\b[^.?!]*)\?\s*$", trace.problem.text.strip())
    if not found or len(found[1]) > 110 or read_numbers(found[1]):
        return None
    question = found[1][0].lower() + found[1][1:]
    lead = rng.choice(("We want to know {}.", "The question is {}.", "What is asked: {}."))
    return (lead.format(question), *trace.steps)


def bare_working(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Cut the prose of a step down to its working and unit."""
    steps = list(trace.steps)
    done = False
    for node in trace.derivations[:-1]:
        step, equation = trace.steps[node.step], node.equation
        if not trace.alone(node) or rng.random() < 0.4:
            continue
        if equation.start < 12:
            continue
        working = step[equation.start : equation.segments[-1].unit_end].strip()
        steps[node.step] = working + ("." if step.endswith(".") else "")
        done = True
    return tuple(steps) if done else None


def drop_filler(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Leave out a line that works nothing out and brings no number of its own."""
    known: set[Fraction] = {node.value for node in trace.nodes} | set(trace.problem.values)
    choices = [
        index
        for index, _ in enumerate(trace.steps)
        if index not in trace.opaque
        and not any(node.step == index for node in trace.nodes)
        and all(m.number.value in known for m in trace.mentions if m.step == index)
    ]
    if not choices or len(trace.steps) < 2:
        return None
    at = rng.choice(choices)
    return (*trace.steps[:at], *trace.steps[at + 1 :])


def verify_steps(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Work one or two of the steps backwards: "Check: 15 + 9 = 24"."""
    choices = [node for node in trace.derivations[:-1] if not trace.confirmed(node)]
    lead = rng.choice(("Check: {}.", "To check: {}.", "Working back, {}.", "As a check, {}."))
    behind: dict[int, str] = {}
    # Early ones first: a flaw that cuts the end off then leaves them standing.
    for node in sorted(choices, key=lambda node: node.index + rng.random() * 2)[:2]:
        backwards = _backwards(trace, node)
        if backwards and trace.alone(node):
            behind[node.step] = lead.format(backwards)
    steps = [
        piece
        for index, step in enumerate(trace.steps)
        for piece in ((step, behind[index]) if index in behind else (step,))
    ]
    return tuple(steps) if behind else None


_INVERSE: Mapping[str, str] = {"+": "-", "-": "+", "*": "/", "/": "*"}


def _backwards(trace: MathTrace, node: Node) -> str | None:
    """The inverse of a two-operand equation, in the step's own signs."""
    lhs, result, step = node.equation.lhs, node.equation.result, trace.steps[node.step]
    if not isinstance(lhs, Binary) or not isinstance(lhs.left, Leaf) or result is None:
        return None
    if not isinstance(lhs.right, Leaf) or len(node.equation.segments) > 2 or node.value == 0:
        return None
    one, two = lhs.left.number, lhs.right.number
    if one.percent or two.percent or result.percent or one.money != result.money:
        return None
    exact = {"+": one.value + two.value, "-": one.value - two.value, "*": one.value * two.value}
    if lhs.op == "/" and two.value * result.value != one.value:
        return None
    if exact.get(lhs.op, result.value) != result.value or (lhs.op == "*" and two.value == 0):
        return None
    first, second, third = (step[n.start : n.end].strip() for n in (result, two, one))
    return f"{first} {_INVERSE[lhs.op]} {second} = {third}"


def name_numbers(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Name the numbers of a step before working with them."""
    steps = list(trace.steps)
    nodes = [node for node in trace.derivations if trace.alone(node)]
    rng.shuffle(nodes)
    for node in nodes[: rng.choice((1, 2))]:
        operands = [
            trace.steps[node.step][m.number.start : m.number.end] for m in trace.operands(node)
        ]
        sentence = without_opening(trace.steps[node.step])
        wordy = node.equation.start > 12 and sentence[:1].isalpha()
        if wordy and 2 <= len(set(operands)) == len(operands) <= 4:
            steps[node.step] = naming(operands, sentence, rng)
    return _changed(trace, tuple(steps))


def spell_result(trace: MathTrace, rng: Random) -> tuple[str, ...] | None:
    """Say a result once more in words of its own: "That is 40 miles"."""
    choices = []
    for node in trace.derivations[:-1]:
        step, equation = trace.steps[node.step], node.equation
        unit = step[equation.end : equation.segments[-1].unit_end].strip()
        result = equation.result
        if result and re.fullmatch(r"[a-z]+", unit) and result.value > 1:
            text = step[result.start : result.end].strip()
            choices.append((node.step, f"That makes {text} {unit}."))
    if not choices:
        return None
    at, sentence = rng.choice(choices)
    stop = "" if trace.steps[at].endswith((".", "!", "?")) else "."
    steps = list(trace.steps)
    steps[at] = f"{steps[at]}{stop} {sentence}"
    return tuple(steps)


def _changed(trace: MathTrace, steps: tuple[str, ...]) -> tuple[str, ...] | None:
    return steps if steps != trace.steps else None


SHORTER: tuple[Move, ...] = (inline_step, bare_working, drop_filler)
SHORTEST: tuple[Move, ...] = (inline_all,)
LONGER: tuple[Move, ...] = (
    verify_steps,
    restate_given,
    state_goal,
    split_sum,
    spell_result,
    name_numbers,
)
NEUTRAL: tuple[Move, ...] = (
    restyle_signs,
    restyle_numbers,
    commute,
    turn_around,
    working_first,
    name_numbers,
    openings,
    merge_lines,
    swap_steps,
)


def reparse(trace: MathTrace, steps: tuple[str, ...]) -> MathTrace:
    """Parse new steps of the same problem."""
    return parse_trace(steps, trace.problem, separator=trace.separator)
