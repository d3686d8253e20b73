"""Whether the rest of a text still says what a flaw denies."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tracelift_groups.perturb.code.facts import said_by
from tracelift_groups.perturb.code.program import Program
from tracelift_groups.perturb.code.text import Edit, Sentence

_ORDER = (
    r"sort\w*|ascending|descending|increasing|decreasing|left to right|right to left|revers\w*"
    r"|backwards?|forwards?|oldest|newest|first-in|last-in|breadth-first|BFS|top of|front of|end of"
)
_BEST = r"max\w*|min\w*|largest|smallest|longest|shortest|greatest|highest|lowest|best|updat\w*"
_SUM = r"add\w*|sum\w*|total|accumul\w*|increas\w*|increment\w*"
_COUNT = r"count\w*|increment\w*|increas\w*|number of|how (?:many|often)|frequenc\w*|occur\w*"
_COST = (
    r"set|hash\w*|dictionary|constant|O\(1\)|quick\w*|efficient\w*|memo\w*|cach\w*|heap\w*|priority"
    r"|binary search|bisect\w*|once|stor\w*|redundant|recomput\w*|logarithm\w*"
)
# By form of fact: words that speak of what the fact is about, beside its first name.
_SPEAKS = {
    "running_best": _BEST,
    "running_sum": _SUM,
    "partial_sum": _SUM,
    "carried_on": _SUM,
    "running_count": _COUNT,
    "tally": _COUNT,
    "all_seen": r"add\w*|mark\w*|stor\w*|record\w*|keep\w*|track\w*|seen|visited",
    "latest_of": r"stor\w*|updat\w*|map\w*|record\w*|save\w*|assign\w*",
    "gathered": r"append\w*|add\w*|collect\w*|push\w*|stor\w*",
    "carried": r"updat\w*|set\w*|mov\w*|assign\w*|becom\w*|advance\w*",
    "undone": r"backtrack\w*|remov\w*|undo\w*|pop\w*|restor\w*|revert\w*",
    "taken": rf"{_ORDER}|queue|stack|heap|pop\w*|smallest|largest|deque",
    "sorted": _ORDER,
    "for_over": _ORDER,
    "for_range": _ORDER,
    "results_kept": _COST,
    "looked_up": _COST,
    "set_lookup": _COST,
    "sorted_once": r"sort\w*",
    "heap_top": _COST,
    "bisected": _COST,
}
# Of these any sentence with such a word will do, whatever it names: prose rarely names them.
_NAMELESS = frozenset({"sorted", "for_over", "for_range", "undone", "results_kept", "looked_up"})


def contradicted(
    sentences: Iterable[Sentence], edits: Iterable[Edit], program: Program
) -> str | None:
    """Return a sentence that still says what the edits deny.

    An edit of the source's own prose is taken for the place that speaks of it. A fact that was
    added is a repetition wherever the prose speaks of the same thing: being wrong in it alone
    would leave the text at odds with itself.

    Args:
        sentences: All sentences of the text.
        edits: Which of them change.
        program: The verified program.
    """
    facts = said_by(program)
    changed = list(edits)
    if not changed or any(edit.sentence.text not in facts for edit in changed):
        return None
    fact = facts[changed[0].sentence.text].fact
    touched = {edit.sentence for edit in changed}
    denied = any(
        changed[0].text in untruth.wordings for untruth in fact.untruths if untruth.wordings
    )
    for sentence in sentences:
        if sentence in touched or sentence.text in facts:
            continue
        if speaks_of(sentence.text, fact.about, fact.form if denied else ""):
            return sentence.text
    return None


def speaks_of(sentence: str, names: tuple[str, ...], form: str = "") -> bool:
    """Whether prose speaks of what a fact is about.

    Args:
        sentence: The prose.
        names: The fact's names, the first being the one that it is mainly about.
        form: The fact's form, where the fact itself is denied; empty where code in it changes.
    """
    said = [name for name in names if _names(sentence, name)]
    if form:
        words = re.search(rf"\b(?:{_SPEAKS.get(form, _BEST)})", sentence, re.IGNORECASE)
        if form in _NAMELESS:
            return bool(words) and (bool(said) or form not in ("for_over", "for_range"))
        return bool(words) and bool(names) and names[0] in said
    return len(said) >= min(2, len(names)) and len(said) > 0


def _names(sentence: str, name: str) -> bool:
    quoted = rf"`[^`]*(?<!\w){re.escape(name)}(?!\w)[^`]*`|\\\([^)]*(?<!\w){re.escape(name)}(?!\w)"
    if re.search(quoted, sentence):
        return True
    return len(name) > 2 and bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", sentence))
