"""A group on a terminal: the problem, its sound traces, and each flaw as a word diff."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from rich.console import Console
from rich.text import Text

from tracelift_groups.records import Certificate, Group, Trace

_WORD = re.compile(r"\s+|[^\s]+")
_LONGEST = 60
_REMOVED, _ADDED = "red strike", "bold green"


def print_group(console: Console, group: Group, kind: str | None = None) -> None:
    """Print a group; with ``kind``, flawed traces of that kind only."""
    console.rule(Text(group.group_id, style="bold"), align="left")
    console.print(Text(group.problem))
    traces = {trace.trace_id: trace for trace in group.traces}
    for trace in group.traces:
        if trace.sound:
            console.print(Text(f"\n{trace.role}", style="bold cyan"))
            console.print(Text(trace.text))
        elif kind in (None, trace.kind):
            _print_flaw(console, trace, traces.get(trace.parent_id or "", group.reference))


def _print_flaw(console: Console, trace: Trace, parent: Trace) -> None:
    title = Text(f"\n{trace.kind}", style="bold yellow")
    if cert := trace.certificate:
        title.append(
            f"  {cert.operator}, {cert.severity}, step {cert.step}{_outcome(cert)}", style="dim"
        )
    console.print(title)
    if console.color_system is None:
        console.print(Text(plain_diff(parent.text, trace.text)))
    else:
        console.print(word_diff(parent.text, trace.text))
    labels = "  ".join(f"{name} {label}" for name, label in trace.rubric.labels.items())
    console.print(Text(f"{labels}  total {trace.rubric.total:.2f}", style="dim"))


def _outcome(cert: Certificate) -> str:
    """What the flaw comes to: another answer, or a test that the program fails."""
    if cert.input is not None:
        given, expected, got = (
            shortened(text or "") for text in (cert.input, cert.expected, cert.got)
        )
        return f"; given {given} the program gives {got} for {expected}"
    if cert.answer_before is not None:
        return f", answer {cert.answer_before} -> {cert.answer_after}"
    return ""


def shortened(text: str) -> str:
    """Return a text on one line, of some length at most."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def plain_diff(before: str, after: str) -> str:
    """Return the same for a file or a pipe: ``[-gone-]`` and ``{+new+}``."""
    marks = {"": "{}", _REMOVED: "[-{}-]", _ADDED: "{{+{}+}}"}
    return "".join(_marked(marks[style], piece) for style, piece in word_changes(before, after))


def _marked(mark: str, piece: str) -> str:
    """Put the marks around the words, not around the spaces beside them."""
    words = piece.strip()
    if not words:
        return piece
    head, _, tail = piece.partition(words)
    return f"{head}{mark.format(words)}{tail}"


def word_diff(before: str, after: str) -> Text:
    """Return ``after`` with its new words marked, and the words that are gone struck out."""
    text = Text()
    for style, piece in word_changes(before, after):
        text.append(piece, style=style)
    return text


def word_changes(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield (style, piece) over the words of two texts; the style is empty where they agree."""
    one, two = _WORD.findall(before), _WORD.findall(after)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if tag == "equal":
            yield "", "".join(two[j1:j2])
            continue
        if gone := "".join(one[i1:i2]):
            yield _REMOVED, gone
        if new := "".join(two[j1:j2]):
            yield _ADDED, (" " if gone and not gone[-1].isspace() else "") + new
