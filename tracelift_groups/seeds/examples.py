"""The examples of a programming problem's statement, read as tests.

Statements of Codeforces, AtCoder, Aizu, CodeChef, Kattis and others reach data sets as plain text
in a dozen layouts. All have headings on lines of their own: one opens the part with examples (or
says "sample" itself), "Input" and "Output" alternate below it. Headings before that part describe
the format, and what stands under them is no example.
"""

from __future__ import annotations

import re
import textwrap
from typing import Literal, NamedTuple

_DECORATION = " \t-=*#_`~>|:."
_NUMBER = r"(?:\s?\#?\d+)"
_SAMPLE = r"(?:sample|example)s?"
_INPUT_OR_OUTPUT = re.compile(
    rf"(?:(?P<sample>{_SAMPLE})\s(?:tests?\s?(?:cases?)?\s)?)?(?:\#?\d+\s)?"
    rf"(?:std|standard\s)?(?P<what>in|out)puts?"
    rf"(?:\s(?:data|(?P<said>{_SAMPLE}|for\s{_SAMPLE})))?{_NUMBER}?"
)
_SECTION = re.compile(
    rf"(?:input\s?(?:/|&|and)\s?output\s)?{_SAMPLE}"
    rf"(?:\s(?:tests?(?:\s?cases?)?|cases?|inputs?\s?(?:/|&|and)\s?outputs?))?{_NUMBER}?"
)
_STOP_WORD = (
    rf"(?:{_SAMPLE}\s)?(?:notes?|explanations?|hints?|constraints?|scoring|sub-?tasks?|limits?|"
    r"remarks?|source|your\stask|(?:in|out)put\sformat|expected\s.{0,60}|time\slimit)"
)
_STOP = re.compile(rf"{_STOP_WORD}(?:\s(?:for|of|to)\s.*|{_NUMBER})?")
_STOP_INLINE = re.compile(rf"\W*(?:{_STOP_WORD}){_NUMBER}?\s*(?:[-=*]*\s*:|-{{2,}}|={{2,}})", re.I)
_RULED = re.compile(r"\s*(?:-{3,}|={3,}|\#{1,6}\s)\s*[^\W\d_][^\n]*")
_INLINE = re.compile(rf"[\s*]*(?:{_SAMPLE}\s+)?(in|out)puts?{_NUMBER}?[\s*]*:[\s*]*(\S.*)", re.I)
_FENCE = re.compile(r"\s*(?:`{3,}\w*|~{3,}\w*|</?pre>)\s*")
_NAMED_VALUE = re.compile(r"[A-Za-z_]\w*(?:\[\])*\s*=(?!=)")

Heading = Literal["in", "out", "section", "stop"]


class Example(NamedTuple):
    """What a program is given and what it should print, each ending on a line break."""

    input: str
    output: str


class _Line(NamedTuple):
    heading: Heading | None
    sample: bool
    """The heading itself says that an example follows."""
    rest: str
    """Text on the heading's own line."""


def examples(statement: str) -> list[Example]:
    """Read the examples of a statement, in order.

    Left out are an example with an empty output, one whose input names its values ("n = 3"): that
    is the call of a function and no text to read, and explanations after an output.
    """
    found: list[Example] = []
    held: dict[str, list[str]] = {}
    part: Literal["in", "out"] | None = None
    in_examples = False

    def finish() -> None:
        if "out" in held:
            given, expected = _block(held["in"]), _block(_before_prose(held["out"]))
            if expected.strip() and not _NAMED_VALUE.match(given.lstrip()):
                found.append(Example(given, expected))
        held.clear()

    for text in statement.replace("\r\n", "\n").replace("\xa0", " ").split("\n"):
        line = _classify(text, in_examples)
        if line.heading is None:
            if part:
                held[part].append(text)
            continue
        in_examples |= line.sample or line.heading == "section"
        if line.heading == "out" and part == "in":
            part = "out"
        else:
            finish()
            part = "in" if line.heading == "in" and in_examples else None
        if part:
            held[part] = [line.rest] if line.rest else []
    finish()
    return found


def _classify(text: str, in_examples: bool) -> _Line:
    core = " ".join(text.strip(_DECORATION).lower().replace("(s)", "s").split())
    if not core or len(core) > 100:
        return _Line(None, False, "")
    if match := _INPUT_OR_OUTPUT.fullmatch(core):
        sample = bool(match["sample"] or match["said"])
        return _Line("in" if match["what"] == "in" else "out", sample, "")
    if _SECTION.fullmatch(core):
        return _Line("section", True, "")
    if _STOP.fullmatch(core) or _STOP_INLINE.match(text):
        return _Line("stop", False, "")
    if in_examples and (match := _INLINE.fullmatch(text)):
        return _Line("in" if match[1].lower() == "in" else "out", False, match[2])
    if _RULED.fullmatch(text):
        return _Line("stop", False, "")
    return _Line(None, False, "")


def _block(lines: list[str]) -> str:
    """What a fence holds, where one opens the block; else all but blank lines at either end."""
    fences = [number for number, line in enumerate(lines) if _FENCE.fullmatch(line)]
    if fences and not any(line.strip() for line in lines[: fences[0]]):
        lines = lines[fences[0] + 1 : fences[1] if len(fences) > 1 else None]
    kept = [line.rstrip() for line in lines]
    return textwrap.dedent("\n".join(kept)).strip("\n") + "\n"


def _before_prose(lines: list[str]) -> list[str]:
    """An output up to the first later paragraph that reads like an explanation.

    An output that reads like prose from its beginning is left as it is.
    """
    seen = gap = False
    for number, line in enumerate(lines):
        if not line.strip():
            gap = seen
            continue
        if _is_prose(line):
            return lines[:number] if gap else lines
        seen, gap = True, False
    return lines


def _is_prose(line: str) -> bool:
    """Five words or more, three of them plain, with a capital or a full stop; or an image."""
    words = line.lstrip(" -*\t").split()
    if not words or words[0].startswith(("<image", "![")):
        return bool(words)
    plain = [word for word in words if word.strip(".,;:!?()\"'’").isalpha()]
    sentence = words[0].lstrip("(\"'")[:1].isupper() or words[-1].endswith((".", ":", "!", ")"))
    return sentence and len(plain) >= 3 and len(words) >= 5
