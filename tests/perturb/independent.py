"""A second opinion on the certificates: parser and checks written from the format alone.

Nothing here imports the package. The parser tokenises prose, reads expressions by recursive descent
over fractions (units are skipped between operands), and every check compares the two texts with the
certificate. Where a line can be read in two ways, it complains only if both readings are wrong.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\u00a0]+)
    |(?P<ord>\d+(?:st|nd|rd|th)\b|\d{1,2}:\d\d(?=\ ?(?:[ap]\.?m|=|[-–+]\ ?\d+:\d\d)))
    |(?P<num>(?:[$€£¢]\ ?)?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)
        (?:\ ?(?:%|¢|percent\b))?)
    |(?P<eq>[=≈])
    |(?P<is>(?:(?:is\ )?equals?(?:\ to)?|is|are|makes?|gives?|leaves?|comes\ to|was|were|totals)\b)
    |(?P<op>[+\-−–*×/÷·]|[xX](?=[\s$(\d.])|(?:plus|minus|times(?!/)|multiplied\ by|divided\ by)\b)
    |(?P<nom>(?:sum|product|difference|quotient|total)\ (?:of|between)\b)
    |(?P<word>[^\W\d_]+(?:['’\-][^\W\d_]+)*)
    |(?P<lp>[(\[])|(?P<rp>[)\]])|(?P<brk>[\n,.;:!?])|(?P<other>.)""",
    re.VERBOSE | re.IGNORECASE,
)
_OPS = {"−": "-", "–": "-", "×": "*", "x": "*", "X": "*", "·": "*", "÷": "/"} | {
    "plus": "+", "minus": "-", "times": "*", "multiplied by": "*", "divided by": "/"
}  # fmt: skip
_NOMS = {"sum": "+", "total": "+", "product": "*", "difference": "-", "quotient": "/"}
_JOINTS = {"and", "so", "because", "which", "there"}  # no unit goes on beyond these
_FILLERS = {"about", "approximately", "only", "just", "a", "total", "of", "exactly", "roughly"}
_WORDS: dict[str, tuple[int | Fraction, ...]] = {
    w: (n,)
    for n, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
}
_WORDS |= {w: (10 * n,) for n, w in enumerate("thirty forty fifty sixty seventy eighty".split(), 3)}
_WORDS |= {"ninety": (90,), "hundred": (100,), "thousand": (1000,), "million": (10**6,)}
_WORDS |= {"half": (2, Fraction(1, 2)), "halves": (2, Fraction(1, 2)), "once": (1,), "twice": (2,)}
_WORDS |= {"double": (2,), "doubled": (2,), "triple": (3,), "thrice": (3,), "dozen": (12,)}
_WORDS |= {
    "third": (3, Fraction(1, 3)),
    "quarter": (4, Fraction(1, 4)),
    "fifth": (5,),
    "pair": (2,),
}
_GIVEAWAY = re.compile(r"\b(incorrect\w*|mistake\w*|wrong\w*|instead of|erroneous\w*)\b", re.I)


@dataclass(frozen=True)
class Complaint:
    """One thing about one trace that the texts do not bear out."""

    trace_id: str
    kind: str
    what: str


@dataclass
class Tok:
    """A token with its place in the text; `value` for numbers, sign for operators."""

    kind: str
    text: str
    start: int
    end: int
    value: Fraction | None = None


@dataclass
class Node:
    """An expression: a number, a variable (value None) or an operation."""

    value: Fraction | None
    op: str = ""
    kids: tuple[Node, ...] = ()
    tok: Tok | None = None

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for kid in self.kids:
            yield from kid.walk()

    def leaves(self) -> list[Fraction]:
        """The numbers it is made of."""
        return [n.value for n in self.walk() if not n.op and n.value is not None]

    def ops(self) -> list[str]:
        """Its operators."""
        return [n.op for n in self.walk() if n.op]


@dataclass
class Equation:
    """Sides that a chain of equality signs joins."""

    sides: list[Node]
    start: int
    end: int
    text: str = ""
    loose: bool = False  # percentages or cents occur: a factor of 100 is a matter of reading

    @property
    def result(self) -> Fraction | None:
        """The number that it comes out at."""
        return self.sides[-1].value

    @property
    def nodes(self) -> list[Node]:
        """All operations in it."""
        return [n for s in self.sides for n in s.walk() if n.op]

    def holds(self) -> bool:
        """Whether neighbouring sides agree, a single number being allowed to be rounded."""
        pairs = zip(self.sides, self.sides[1:], strict=False)
        return all(_agree(a, b, self.loose) for a, b in pairs)


def _agree(a: Node, b: Node, loose: bool) -> bool:
    if a.value is None or b.value is None:
        return True  # algebra: nothing to compare
    for factor in (1, 100, Fraction(1, 100)) if loose else (1,):
        x, y = a.value * factor, b.value
        if x == y or _rounds_to(x, b) or _rounds_to(y / factor, a):
            return True
    return False


def _rounds_to(exact: Fraction, shown: Node) -> bool:
    """Whether a single number is `exact` rounded or cut to the decimals that it shows."""
    if shown.tok is None or shown.value is None:
        return False
    decimals = re.search(r"\.(\d+)", shown.tok.text)
    unit = Fraction(1, 10 ** len(decimals[1] if decimals else ""))
    unit /= 100 if "%" in shown.tok.text or "percent" in shown.tok.text else 1
    return abs(exact - shown.value) < unit and (exact / unit).denominator > 1


def tokenise(text: str) -> list[Tok]:
    """The tokens of a text, blanks left out."""
    tokens = []
    for m in _TOKEN.finditer(text):
        kind, value, sign = m.lastgroup or "", None, m[0]
        if kind == "skip":
            continue
        if kind == "num":
            value = Fraction(re.sub(r"[^\d.]", "", m[0]))
            if re.search(r"%|percent", m[0]):
                value /= 100
        elif kind == "op":
            sign = _OPS.get(m[0].lower(), m[0])
        tokens.append(Tok(kind, sign, m.start(), m.end(), value))
    return tokens


class Parser:
    """Recursive descent; every method takes a token index and gives a node and the next index."""

    def __init__(self, text: str, tight: bool = True) -> None:
        self.text, self.toks, self.tight = text, tokenise(text), tight

    def at(self, i: int) -> Tok:
        """The token at `i`; a break beyond the end."""
        end = len(self.text)
        return self.toks[i] if 0 <= i < len(self.toks) else Tok("brk", "", end, end)

    def units(self, i: int) -> int:
        """Behind the unit words ("birds/site", "a day", "lbs.", "(in cents)") that start at `i`."""
        start = i
        while i - start < 9:
            tok, nxt = self.at(i), self.at(i + 1)
            joint = tok.kind == "op" and tok.text in "/-" and nxt.kind == "word"
            abbreviated = tok.text == "." and nxt.kind in ("op", "eq") and i > start
            if tok.kind == "word" and re.fullmatch("[A-Zn-z]", tok.text) and nxt.kind == "eq":
                break  # "then x = 4"
            if tok.text == "and" and nxt.kind == "word" and self.at(i + 2).kind in ("op", "eq"):
                i += 2  # "14 men and women = "
                continue
            if tok.kind in ("word", "ord") and tok.text.lower() not in _JOINTS:
                i += 1
            elif joint and (len(nxt.text) > 1 or (tok.text == "/" and tok.end == nxt.start)):
                i += 2
            elif tok.text == "leaves" and nxt.kind in ("op", "rp"):
                i += 1  # of a tree
            elif abbreviated or tok.text in "'\"“”’":
                i += 1
            elif tok.kind == "lp" and (j := self.aside(i + 1)):
                i = j
            else:
                break
        return i

    def aside(self, i: int) -> int:
        """Behind a bracket that holds words only, or 0."""
        j = i
        while self.at(j).kind in ("word", "ord", "is"):
            j += 1
        return j + 1 if j > i and self.at(j).kind == "rp" and self.at(i).text != "x" else 0

    def operand(self, i: int, first: bool = False) -> tuple[Node, int] | None:
        """A number, a variable or a bracket."""
        tok, over = self.at(i), self.at(i - 1)
        loose = over.kind == "op" and over.end - over.start == 1 and over.end < tok.start
        if not first and loose and tok.kind == "word" and len(tok.text) > 1:
            j = i  # "8 + Riley's 5"
            while self.at(j).kind == "word" and self.at(j).text not in _JOINTS and j - i < 4:
                j += 1
            return self.operand(j, first=True) if self.at(j).kind == "num" else None
        if tok.text == "-" and first and self.at(i + 1).start == tok.end:
            inner = self.operand(i + 1)
            if inner and inner[0].value is not None and not inner[0].op:
                return Node(-inner[0].value, tok=inner[0].tok), inner[1]
            return None
        if tok.kind == "num":
            nxt = self.at(i + 1)
            if nxt.start == tok.end and (
                (nxt.kind == "word" and len(nxt.text) == 1 and nxt.text not in "gmlLhk")
                or (nxt.text == "*" and self.text[nxt.start] in "xX" and not self.operand(i + 2))
            ):
                return Node(None), i + 2
            if (part := self.mixed(i)) and tok.value is not None:
                return Node(tok.value + part, tok=tok), i + 4
            bottom = self.at(i + 2)
            spaced = over.text == "/" == nxt.text and over.end < tok.start
            dense = tok.end == nxt.start and nxt.end == bottom.start
            if self.tight and spaced and dense and bottom.value and tok.value is not None:
                return Node(tok.value / bottom.value, tok=tok), i + 3  # "2000 / 2/3"
            return Node(tok.value, tok=tok), i + 1
        letter = self.text[tok.start : tok.end]
        if not first and len(letter) == 1 and letter.isalpha():
            return Node(None), i + 1
        if tok.kind == "lp":
            inner = self.expr(i + 1, bracket=True)
            if inner and self.at(end := self.units(inner[1])).kind == "rp":
                nxt = self.at(end + 1)
                if nxt.start == self.at(end).end and len(nxt.text) == 1 and nxt.text.isalpha():
                    return Node(None), end + 2  # "(5/4)x"
                return inner[0], end + 1
        return None

    def mixed(self, i: int) -> Fraction | None:
        """The fraction in "1 1/2"."""
        whole, top, bar, bottom = (self.at(i + k) for k in range(4))
        tight = whole.end + 1 == top.start and top.end == bar.start and bar.end == bottom.start
        if not (tight and bar.text == "/" and top.value and bottom.value and whole.value):
            return None
        return top.value / bottom.value if top.value < bottom.value else None

    def expr(self, i: int, bracket: bool = False) -> tuple[Node, int] | None:
        """Operands and operators, units between them; "20% of 50" and "3(4 + 5)" multiply."""
        got = self.operand(i, first=not bracket) or self.operand(i, first=True)
        if not got:
            return None
        shares = self.at(i - 1).kind != "eq"  # "= 1/3 of $150" names a share, it takes none
        items, ops, i = [got[0]], [], got[1]
        while True:
            tok, last = self.at(i), items[-1]
            percent = last.tok is not None and bool(re.search(r"%|percent", last.tok.text))
            if shares and tok.text == "of" and (percent or ops[-1:] == ["/"]):
                j, sign = i + 1, "*"
            elif tok.kind == "lp" and tok.start == self.at(i - 1).end:
                j, sign = i, "*"
            else:
                j = self.units(i)
                tok = self.at(j)
                j, sign = (j + 1, tok.text) if tok.kind == "op" else (-1, "")
            got = self.operand(j) if j >= 0 else None
            if not got:
                return _fold(items, ops), i
            items.append(got[0])
            ops.append(sign)
            i = got[1]

    def chain(self, i: int) -> tuple[Equation | None, int]:
        """`a = b = c` from `i` on; "is" joins only what follows a calculation."""
        got = self.expr(i)
        if not got:
            return None, i + 1
        sides, end = [got[0]], got[1]
        before = self.at(i - 1)
        if before.kind == "op" and i > 0:
            sides[0] = Node(None)  # the tail of something with an unknown in it
        while True:
            j = self.units(end)
            tok = self.at(j)
            spelt = tok.kind == "is" and sides[-1].op and not self.fraction(sides[-1])
            if not (tok.kind == "eq" or spelt):
                break
            j += 1
            while self.at(j).text in _FILLERS or self.at(j).kind == "eq":
                j += 1
            got = self.expr(j)
            if not got:
                break
            sides.append(got[0])
            end = got[1]
        if len(sides) > 2 and not sides[0].op and not _agree(sides[0], sides[1], False):
            del sides[0]  # "300 minutes = 300 / 60 = 5 hours" restates what is converted
        if not any(side.op or side.value is None for side in sides):
            return None, end  # "1 hour = 60 minutes"
        return self.equation(i, end, sides), end if sides[0].op or len(sides) > 1 else i + 1

    @staticmethod
    def fraction(node: Node) -> bool:
        """Whether it is a mere "3/4", which is no calculation."""
        a, b = node.kids
        tight = a.tok and b.tok and b.tok.start - a.tok.end == 1
        return bool(node.op == "/" and tight and node.value and node.value < 1)

    def nominal(self, i: int) -> tuple[Equation | None, int]:
        """ "the sum of a, b and c is d"."""
        op, items, j = _NOMS[self.at(i).text.split()[0].lower()], [], i + 1
        while got := self.expr(j):
            items.append(got[0])
            j = self.units(got[1])
            if self.at(j).text not in (",", "and"):
                break
            j += 2 if self.at(j + 1).text == "and" else 1
        if len(items) < 2 or self.at(j).kind not in ("is", "eq") or not (got := self.expr(j + 1)):
            return None, i + 1
        return self.equation(i, got[1], [_fold(items, [op] * (len(items) - 1)), got[0]]), got[1]

    def equation(self, i: int, j: int, sides: list[Node]) -> Equation | None:
        """The record of what stands between two token indices."""
        if len(sides) < 2:
            return None
        start, end = self.at(i).start, self.at(j - 1).end
        text = self.text[start:end]
        loose = bool(re.search(r"%|percent|¢|\bcents?\b", self.text[start : end + 12]))
        return Equation(sides, start, end, text, loose)

    def equations(self) -> list[Equation]:
        """All equations, in reading order; "12 / 3/2" is read as whichever makes its line true."""
        found = self.scan()
        if self.tight and not all(e.holds() for e in found) and re.search(r"/ \S+/", self.text):
            other = Parser(self.text, tight=False).scan()
            if sum(not e.holds() for e in other) < sum(not e.holds() for e in found):
                return other
        return found

    def scan(self) -> list[Equation]:
        """One reading of the text."""
        found, i = [], 0
        while i < len(self.toks):
            tok = self.toks[i]
            if tok.kind == "nom":
                eq, i = self.nominal(i)
            elif tok.kind in ("num", "lp") or tok.text == "-":
                eq, i = self.chain(i)
            else:
                eq, i = None, i + 1
            if eq:
                found.append(eq)
        return found


def _fold(items: Sequence[Node], ops: Sequence[str]) -> Node:
    """One node of a flat list: products first, then sums, from left to right."""
    terms, signs = [items[0]], []
    for op, item in zip(ops, items[1:], strict=True):
        if op in "*/":
            terms[-1] = _apply(op, terms[-1], item)
        else:
            terms.append(item)
            signs.append(op)
    out = terms[0]
    for op, term in zip(signs, terms[1:], strict=True):
        out = _apply(op, out, term)
    return out


def _apply(op: str, a: Node, b: Node) -> Node:
    if a.value is None or b.value is None or (op == "/" and b.value == 0):
        return Node(None, op, (a, b))
    x, y = a.value, b.value
    value = x + y if op == "+" else x - y if op == "-" else x * y if op == "*" else x / y
    return Node(value, op, (a, b))


_LEADS = "putting together going by working from with taking into account and and and".split()
_CHECK = re.compile(r"\b(check\w*|working back\w*|backwards|verify)\b[^.\n]*$", re.I)


class View:
    """What a text says: its equations, numbers, and the value that it ends on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parser = Parser(text)
        self.eqs = self.parser.equations()
        self.work = [e for e in self.eqs if not _CHECK.search(text[: e.start])]
        self.nums = [t for t in self.parser.toks if t.kind == "num"]
        self.values = set().union(*(both(t) for t in self.nums))

    @property
    def derived(self) -> set[Fraction]:
        """The values that some calculation comes out at, on the way or as shown."""
        shown = {v for e in self.eqs if any(s.op for s in e.sides) for v in both(e.sides[-1].tok)}
        shown |= {e.result for e in self.eqs if any(s.op for s in e.sides)}
        inner = {n.value for e in self.eqs for n in e.nodes}
        return {v for v in shown | inner if v is not None}

    @property
    def results(self) -> set[Fraction]:
        """The values that whole equations come out at."""
        return {e.result for e in self.work if e.result is not None}

    @property
    def operands(self) -> set[Fraction]:
        """The numbers that calculations start from."""
        return {v for e in self.work for v in head(e).leaves()}

    def at(self, start: int, end: int) -> Equation | None:
        """The equation that overlaps a span."""
        hits = [e for e in self.eqs if e.start < end and start < e.end]
        return max(hits, key=lambda e: min(e.end, end) - max(e.start, start), default=None)

    def like(self, text: str) -> Equation | None:
        """The equation that a certificate quotes."""
        same = [e for e in self.eqs if e.text in text or text in e.text]
        return max(same, key=lambda e: len(e.text), default=None)

    def late(self) -> set[Fraction]:
        """Values that are derived before any calculation uses them."""
        used: set[Fraction] = set()
        out: set[Fraction] = set()
        for e in self.work:
            used |= set(head(e).leaves())
            out |= {v for v in both(e.sides[-1].tok) if v not in used}
        return out

    def prose_numbers(self) -> set[Fraction]:
        """The numbers outside the calculations."""
        return set().union(*(both(t) for t in self.nums if not self.at(t.start, t.end)))

    def finals(self) -> list[Fraction]:
        """Candidates for the value that it ends on, likeliest first."""
        lines = [x for x in re.split(r"\n|(?<=[.!?])\s+(?=[A-Z$(\d])", self.text) if x.strip()]
        lines = [x for x in lines if not _CHECK.match(x.strip())] or lines
        for line in reversed(lines):
            view = Parser(line)
            eqs = [e for e in view.equations() if e.result is not None]
            if eqs:
                rest = [v for t in view.toks if t.start >= eqs[-1].end for v in both(t)]
                first = {eqs[-1].result, *both(eqs[-1].sides[-1].tok)} - {None}
                return [*sorted(first, reverse=True), *rest]  # type: ignore[type-var]
            nums = [v for t in view.toks[::-1] for v in both(t)]
            if nums:
                return nums + [e.result for e in self.work[-1:] if e.result is not None]
        return []


def both(tok: Tok | None) -> list[Fraction]:
    """The value of a number token; of a percentage also the number before the sign."""
    if tok is None or tok.value is None:
        return []
    return [tok.value * 100, tok.value] if re.search("%|percent", tok.text) else [tok.value]


def head(eq: Equation) -> Node:
    """The calculation proper: what comes after it in a chain only works it out."""
    return next((s for s in eq.sides if s.op), eq.sides[0])


def signature(node: Node) -> tuple[object, ...]:
    """Numbers and operators, whatever their order."""
    return tuple(sorted(node.leaves())), tuple(sorted(node.ops()))


def readings(text: str, scales: bool = True) -> set[Fraction]:
    """All numbers that a phrase of the problem may stand for, in digits or words."""
    out: set[Fraction] = set()
    toks = tokenise(text)
    for i, tok in enumerate(toks):
        if tok.value is not None:
            out |= {tok.value}
            if "%" in tok.text or "percent" in tok.text:
                out |= {tok.value * 100}
            elif scales:
                out |= {tok.value / 100}
            if i + 2 < len(toks) and toks[i + 1].text == "/" and toks[i + 2].value:
                out.add(tok.value / toks[i + 2].value)  # type: ignore[operator]
        elif tok.kind == "ord" and (digits := re.match(r"\d+", tok.text)):
            out.add(Fraction(digits[0]))
    words = [w for w in re.split(r"[\s\-,.;:!?]+", text.lower()) if w]
    total = 0
    for w in words:
        stem = w if w in _WORDS else w[:-1] if w[:-1] in _WORDS else w[:-2]
        if stem in _WORDS:
            out |= {Fraction(v) for v in _WORDS[stem]}
            v = int(_WORDS[stem][0])
            total = total * v if v in (100, 1000, 10**6) and total else total + v
            out |= {Fraction(total), Fraction(total, 100)}
        elif w != "and":
            total = 0
    return out


def number(text: str | None) -> Fraction | None:
    """A certificate's value."""
    if text is None:
        return None
    m = re.search(r"-?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:/\d+)?", text)
    return Fraction(m[0].replace(",", "")) if m else None


def prose(view: View) -> list[str]:
    """The words around the calculations."""
    text = list(view.text)
    for e in view.eqs:
        text[e.start : e.end] = " " * (e.end - e.start)
    words = re.findall(r"[^\W\d_]+", "".join(text).lower())
    return [w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words]


@dataclass
class Case:
    """A flawed trace beside what it is compared with."""

    problem: str
    parent: View
    flawed: View
    cert: dict[str, Any]
    found: list[str] = field(default_factory=list)

    def expect(self, holds: object, what: str) -> None:
        """Notes a complaint unless it holds."""
        if not holds:
            self.found.append(what)

    @property
    def given(self) -> set[Fraction]:
        """What the problem states."""
        return readings(self.problem)

    @property
    def span(self) -> tuple[int, int]:
        """Where the flaw is."""
        return self.cert["start"], self.cert["end"]

    def quoted(self) -> tuple[Equation | None, Equation | None]:
        """The parent's equation and the flawed one, as quoted or, for a fragment, in place."""
        was, now = (Parser(self.cert[k]).equations() for k in ("before", "after"))
        old = was[0] if was else self.parent.like(self.cert["before"])
        return old, now[0] if now else self.flawed.at(*self.span)

    def no_leftovers(self) -> None:
        """No value of the parent's that nothing in the flawed trace leads to any more."""
        fresh = self.parent.late() - self.flawed.derived - self.given
        if self.cert["kind"] == "arithmetic_error":
            fresh -= {number(self.cert["claimed"])}
        elif here := self.flawed.at(*self.span):
            fresh -= set(head(here).leaves())  # the flaw itself may bring any number in
        used = {v for e in self.flawed.work for v in head(e).leaves()} & fresh
        self.expect(not used, f"stale operand {_show(used)}")
        said = self.flawed.prose_numbers() & fresh - used
        self.expect(not said, f"stale number in prose {_show(said)}")

    def no_strangers(self) -> None:
        """No operand that is neither given, nor derived before, nor the parent's constant."""
        known = self.given | self.flawed.derived | (self.parent.operands - self.parent.late())
        known |= {e.result for e in self.flawed.eqs if e.result is not None}
        eq = self.flawed.at(*self.span)
        for e in self.flawed.work:
            new = set(head(e).leaves()) - known
            if e is not eq or self.cert["kind"] != "unit_mismatch":
                self.expect(not new, f"operand from nowhere {_show(new)}")

    def same_prose(self, subset: bool) -> None:
        """The words are the parent's: all of them, or at least no others."""
        a, b = Counter(prose(self.parent)), Counter(prose(self.flawed))
        vague = self.cert["operator"] == "vague_working"
        new = b - a - Counter(_LEADS if vague else ())
        self.expect(sum(new.values()) <= 2, f"new words: {' '.join(new)}")
        if not subset:
            gone = a - b
            self.expect(sum(gone.values()) <= 2, f"lost words: {' '.join(gone)}")

    def truths(self, wrong: int) -> list[Equation]:
        """The false equations, of which there should be so many."""
        false = [e for e in self.flawed.eqs if not e.holds()]
        listed = "; ".join(e.text for e in false)
        self.expect(len(false) == wrong, f"{len(false)} false equations, not {wrong}: {listed}")
        return false


def _show(values: set[Fraction]) -> str:
    return ", ".join(f"{float(v):g}" for v in sorted(values))


def arithmetic_error(c: Case) -> None:
    """One false equation; its value carried through, or everything else to the letter."""
    false, (start, end) = c.truths(1), c.span
    claimed, expected = number(c.cert["claimed"]), number(c.cert["expected"])
    if len(false) == 1:
        c.expect(
            false[0].start < end and start < false[0].end, "the span is not in the false equation"
        )
    c.expect(number(c.cert["before"]) == expected, "expected is not what the parent has there")
    c.expect(number(c.cert["after"]) == claimed, "claimed is not what stands in the span")
    rest = c.flawed.text[end:]
    if c.cert["propagation"] == "local":
        old, new = c.parent.parser.toks, c.flawed.parser.toks
        odd = [b for a, b in zip(old, new, strict=False) if a.text != b.text]
        line = c.flawed.text.rfind("\n", 0, start), len(c.flawed.text) - len(rest) + rest.find("\n")
        line = (line[0], len(c.flawed.text)) if "\n" not in rest else line
        near = all(claimed in both(t) and line[0] < t.start < line[1] for t in odd)
        c.expect(len(old) == len(new) and near, "local, but more was changed")
        c.expect(expected in View(rest).values, "local, but nothing contradicts it")
    else:
        c.no_leftovers()
        last = all(e.start <= end for e in c.flawed.work)
        c.expect(last or claimed in View(rest).values, "propagated, but the value is not used")
    c.same_prose(subset=False)
    c.no_strangers()


def wrong_operation(c: Case) -> None:
    """The parent's operands under one other operator."""
    c.truths(0)
    was, now = c.quoted()
    c.expect(was and now, "no equation in the span")
    if was and now:
        a, b = head(was), head(now)
        c.expect(sorted(a.leaves()) == sorted(b.leaves()), "operands changed")
        gone, new = Counter(a.ops()) - Counter(b.ops()), Counter(b.ops()) - Counter(a.ops())
        c.expect(gone.total() == 1 == new.total(), "not exactly one operator changed")
        c.expect(a.value != b.value, "the value did not change")
    c.no_leftovers()
    c.no_strangers()
    c.same_prose(subset=False)


def missing_condition(c: Case) -> None:
    """A quantity, used by the parent, that no number of the flawed trace is."""
    c.truths(0)
    words = c.cert["quantity"] or ""
    meant = readings(words, scales=False)
    used = meant & (c.parent.operands | {Fraction(100) * v for v in c.parent.operands})
    c.expect(words and words.lower() in c.problem.lower(), "quantity is not in the problem")
    c.expect(used, f"quantity {words!r} is no operand of the parent")
    c.expect(
        not meant or not (used or meant) <= c.flawed.values, f"quantity {words!r} is still there"
    )
    if not re.fullmatch(r"\W*(one|two|once|a)\W*", words.lower()):
        spelt = used & readings(re.sub(r"\d[\d.,]*%?", "#", c.flawed.text))
        c.expect(not spelt or len(used) > 1, f"quantity {words!r} is still there in words")
    gone = c.parent.operands & c.given - c.flawed.values - meant - c.parent.results
    # What goes with it is its own branch: numbers of equations that are gone as a whole.
    fewer = Counter(tuple(head(e).ops()) for e in c.parent.work)
    fewer -= Counter(tuple(head(e).ops()) for e in c.flawed.work)
    for equation in c.parent.work:
        leaves = set(head(equation).leaves())
        if meant & leaves or fewer[tuple(head(equation).ops())] > 0:
            gone -= leaves
    near = c.flawed.values | meant | c.flawed.derived
    gone = {v for v in gone if not {v, 100 * v, v / 100} & near}
    c.expect(not gone, f"other given operands lost: {_show(gone)}")
    c.no_leftovers()
    c.no_strangers()
    c.same_prose(subset=True)


def unit_mismatch(c: Case) -> None:
    """One factor replaced, turned round or skipped."""
    c.truths(0)
    op = c.cert["operator"]
    was, now = c.quoted()
    c.expect(was, "before holds no equation")
    if was:
        a = head(was)
        skipped = op in (
            "skipped_conversion",
            "rate_as_total",
            "percent_as_amount",
            "total_as_rate",
        )
        if now and not skipped:
            b = head(now)
            gone = Counter(a.leaves()) - Counter(b.leaves())
            new = Counter(b.leaves()) - Counter(a.leaves())
            turned = Counter(a.ops()) - Counter(b.ops())
            if op == "wrong_direction":
                c.expect(
                    turned.total() <= 1 and not gone, "wrong_direction, but more than an operator"
                )
            else:
                c.expect(gone.total() == 1 == new.total(), f"{op}, but not one number replaced")
            for v in gone:
                factors = {k.value for n in a.walk() if n.op in ("*", "/") for k in n.kids}
                c.expect(
                    op != "wrong_factor" or v in factors, f"{op} replaces a term, not a factor"
                )
                made = v in c.parent.late() and v not in c.given
                c.expect(not made, f"{op} replaces a value that an earlier step derives")
                amount = v == 100 and v in readings(
                    re.sub(r"[\w-]+ ?(%|percent)", "", c.problem), False
                )
                c.expect(
                    op != "percent_scale" or not amount, "percent_scale replaces an amount of 100"
                )
        elif skipped:
            kept = number(c.cert["after"]) or Fraction(0)
            parts = {n.value for n in a.walk()} | readings(c.cert["quantity"] or "")
            c.expect({kept, kept / 100} & parts, "what is left is no operand")
    c.no_leftovers()
    c.no_strangers()
    c.same_prose(subset=True)


def unsupported_leap(c: Case) -> None:
    """A value that is used but that nothing derives any more; everything else as it was."""
    c.truths(0)
    v, (start, _) = number(c.cert["after"]), c.span
    c.expect(v in c.parent.derived, "the parent does not derive the value")
    still = [e for e in c.flawed.work if e.result == v and any(s.op for s in e.sides)]
    c.expect(not still, "the value is still derived")
    c.expect(v not in readings(c.problem, scales=False), "the value is given")
    later = [e for e in c.flawed.work if e.end > start and v in head(e).leaves()]
    c.expect(later, "no later equation uses the value")
    early = [e for e in c.flawed.work if e.end <= start and v in head(e).leaves()]
    c.expect(not early or v not in c.parent.late(), "the span is not its first use")
    old = {signature(n) for e in c.parent.eqs for n in e.nodes}
    for e in c.flawed.work:
        c.expect(signature(head(e)) in old, f"an equation that is not the parent's: {e.text}")
    c.same_prose(subset=True)


def premature_answer(c: Case) -> None:
    """The parent's first steps, and an intermediate value at the end."""
    c.truths(0)
    after = number(c.cert["answer_after"])
    scaled = {after, after / 100} if after is not None else set()
    c.expect(scaled & c.parent.derived, "the final value is no intermediate one of the parent")
    steps = [signature(head(e)) for e in c.parent.work]
    parts = {signature(n) for e in c.parent.eqs for n in e.nodes}
    mine = [signature(head(e)) for e in c.flawed.work]
    whole = [s for s in mine if s in steps]
    c.expect(all(s in parts for s in mine), "an equation that is not the parent's")
    c.expect(whole == steps[: len(whole)], "not the parent's first equations")
    c.expect(len(mine) < len(steps) or mine != steps, "no derivation is gone")
    c.no_leftovers()
    c.same_prose(subset=True)


_KINDS = {f.__name__: f for f in (arithmetic_error, wrong_operation, missing_condition)}
_KINDS |= {f.__name__: f for f in (unit_mismatch, unsupported_leap, premature_answer)}


def certificate(c: Case, trace: dict[str, Any], gold: Fraction | None) -> None:
    """What every certificate must show, before its kind's own conditions."""
    cert, text, (start, end) = c.cert, trace["text"], c.span
    c.expect(cert["after"] == text[start:end], "after is not the span")
    c.expect(cert["before"] in c.parent.text, "before is not in the parent")
    place = 0
    for i, step in enumerate(trace["steps"]):
        at = text.find(step, place)
        if i == cert["step"]:
            c.expect(at <= start < at + len(step), "the span is not in the step")
        place = at + len(step)
    c.expect(0 <= cert["step"] < len(trace["steps"]), "no such step")
    before, after = number(cert["answer_before"]), number(cert["answer_after"])
    c.expect(before == gold, "answer_before is not the gold answer")
    c.expect((before != after) == cert["answer_changed"], "answer_changed is not so")
    last, ends = start >= text.rfind(trace["steps"][-1]), c.flawed.finals()
    c.expect(
        after in ends, f"answer_after {cert['answer_after']} but it ends on {_show(set(ends))}"
    )
    was = c.parent.finals()
    aligned = len(was) == len(ends) and (before, after) in zip(was, ends, strict=False)
    if ends and after in ends and ends[0] != after and not aligned:
        c.expect(last and number(cert["after"]) == after, "answer_after is not the last number")
    elif last and not c.flawed.at(start, end) and re.fullmatch(r"\D{0,2}[\d,.]+%?", cert["after"]):
        tail = View(text[end:])
        c.expect(
            tail.eqs or number(cert["after"]) == after,
            "the span in the last line is not the answer",
        )
    if cert["kind"] in (
        "wrong_operation",
        "missing_condition",
        "unit_mismatch",
        "premature_answer",
    ):
        c.expect(before != after, "the answer does not change")
    elif cert["kind"] == "unsupported_leap":
        c.expect(before == after, "the answer changes")
    c.expect(cert["kind"] == trace["kind"], "kind differs")
    _KINDS[cert["kind"]](c)


def sound(c: Case, role: str) -> None:
    """True equations, the reference's values, nothing lost and nothing from nowhere."""
    c.truths(0)
    if role == "reference":
        return
    a, b = c.parent.finals(), c.flawed.finals()
    c.expect(set(a[:1]) & set(b) or set(a) & set(b[:1]), "a twin that ends on another value")
    have = {
        x for v in c.flawed.derived | c.flawed.values for x in (v, 100 * v, v / 100)
    }  # per cent
    lost = {v for v in c.parent.results - have if v}
    c.expect(not lost, f"a twin without the reference's value {_show(lost)}")
    gone = c.parent.operands - have
    c.expect(not gone, f"a twin without the reference's operand {_show(gone)}")
    known = c.given | c.flawed.derived | c.parent.values | c.parent.operands
    new = c.flawed.operands - known
    c.expect(not new, f"a twin with an operand from nowhere {_show(new)}")


def check_group(row: dict[str, Any]) -> list[Complaint]:
    """Everything about a group that its texts do not bear out."""
    out: list[Complaint] = []
    traces = {t["trace_id"]: t for t in row["traces"]}
    views = {k: View(t["text"]) for k, t in traces.items()}
    roles = Counter(t["role"] for t in row["traces"])
    if roles["reference"] != 1 or roles["twin"] < 1 or roles["flawed"] < 4:
        out.append(Complaint(row["group_id"], "group", f"role counts {dict(roles)}"))
    seen: dict[str, str] = {}
    for name, trace in traces.items():
        kind, cert = trace["kind"] or trace["role"], trace["certificate"]
        parent = traces.get(trace["parent_id"] or "")
        c = Case(
            row["problem"], views[parent["trace_id"] if parent else name], views[name], cert or {}
        )
        text = " ".join(trace["text"].split())
        c.expect(text not in seen, f"same text as {seen.get(text)}")
        seen[text] = name
        c.expect("<<" not in text and "####" not in text, "annotations")
        joined = "".join("".join(trace["steps"]).split())
        c.expect(joined == "".join(text.split()), "the steps do not make up the text")
        tells = {m.lower() for m in _GIVEAWAY.findall(text)}
        tells -= {m.lower() for m in _GIVEAWAY.findall(c.parent.text)}
        c.expect(not tells or not parent, f"give-away wording: {tells}")
        c.expect(parent or trace["role"] == "reference", "no parent")
        if trace["role"] == "flawed":
            c.expect(cert, "no certificate")
            if cert:
                certificate(c, trace, number(row["answer"]))
        else:
            c.expect(number(row["answer"]) in c.flawed.finals(), "does not end on the gold answer")
            sound(c, trace["role"])
        out += [Complaint(name, kind, what) for what in c.found]
    return out


def main(paths: Sequence[str]) -> None:
    """Counts by complaint, three examples of each, and the share confirmed of each kind."""
    import pyarrow.parquet as pq

    by: defaultdict[tuple[str, str], list[Complaint]] = defaultdict(list)
    total: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for path in paths:
        for row in pq.read_table(path).to_pylist():
            total.update(t["kind"] or t["role"] for t in row["traces"])
            found = check_group(row)
            bad.update(kind for _, kind in {(x.trace_id, x.kind) for x in found})
            for x in found:
                by[x.kind, re.sub(r"[\d:'].*", "…", x.what)].append(x)
    for (kind, what), those in sorted(by.items(), key=lambda p: (p[0][0], -len(p[1]))):
        print(f"{kind:18} {len(those):6}  {what}")
        for x in those[:3]:
            print(f"{'':26} {x.trace_id}: {x.what}")
    for kind, n in sorted(total.items()):
        print(f"{kind:18} {n:6} traces, {1 - bad[kind] / n:.4%} confirmed")


if __name__ == "__main__":
    main(sys.argv[1:])
