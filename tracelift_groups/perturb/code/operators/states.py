"""Flaws in how prose says what a variable holds: the best so far, the sum, what was handed on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tracelift_groups.perturb.code.facts import Fact, facts_of
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.program import Program

_MOST = re.compile(
    r"\b(?:maximum|largest|longest|greatest|highest|biggest|best|minimum|smallest|shortest|lowest)"
    r"\b(?! (?:of|between)\b)"
)
_KEEPS = re.compile(
    r"\b(?:keep|track|stor|hold|updat|maintain|record|remember)\w*\b", re.IGNORECASE
)
_ADD = re.compile(
    r"\b(?P<verb>[Aa]dd(?:s|ed|ing)?)\s+(?P<what>[^.;]{1,70}?)\s+to\s+(?:the\s+)?(?=`(?P<v>\w+)`)"
)
_ADD_FORMS = {"add": "store", "adds": "stores", "added": "stored", "adding": "storing"}
_INCREMENT = re.compile(
    r"\b(?P<verb>[Ii]ncrement(?:s|ed|ing)?|[Ii]ncreas(?:es|ed|ing|e))\s+(?:the\s+)?(?:\w+\s+)?`(?P<v>\w+)`"
    r"(?:\s+by\s+(?:`?1`?|one))?"
)
_INCREMENT_FORMS = {
    "increment": "set",
    "increase": "set",
    "increments": "sets",
    "increases": "sets",
}
_INTO_SET = re.compile(
    r"\b(?P<verb>[Aa]dd(?:s|ed|ing)?)\s+(?P<what>[^.;]{1,60}?)\s+to\s+(?=(?:the\s+)?(?:set\s+)?`(?P<v>\w+)`)"
)
_KEEP_ONLY = {
    "add": "keep only",
    "adds": "keeps only",
    "added": "kept only",
    "adding": "keeping only",
}
_UPDATE = re.compile(
    r"\b(?P<verb>[Uu]pdat(?:e|es|ing)|[Ss]et(?:s|ting)?|[Mm]ov(?:e|es|ing))\s+(?:the\s+)?`(?P<v>\w+)`"
    r"(?:\s+pointer)?\s+(?:to|with|as)\s+(?P<what>[^.;,]{1,60})"
)
_LEAVE = {
    "e": "leave", "es": "leaves", "ing": "leaving",
    "set": "leave", "sets": "leaves", "setting": "leaving",
}  # fmt: skip


def change_state(sentence: str, program: Program) -> Iterator[Proposal]:
    """What a variable of the loop holds, or how it is brought up to date, said wrongly."""
    facts = facts_of(program)
    for forms, change in _WAYS:
        for name, text in change(sentence):
            about = [
                fact
                for fact in facts
                if fact.form in forms and fact.untruths and fact.wordings[0].count(f"`{name}`")
            ]
            programs = {untruth.program for fact in about for untruth in fact.untruths}
            made = programs.pop() if len(programs) == 1 else None
            if made is not None and _first_name(about[0]) == name:
                yield Proposal("wrong_invariant", about[0].form, text, made)


def _first_name(fact: Fact) -> str:
    """The variable that a fact is about: the one that its second wording opens with or names."""
    found = re.findall(r"`(\w+)`", fact.untruths[0].wordings[0])
    return found[0] if found else ""


def _best(sentence: str) -> Iterator[tuple[str, str]]:
    found = list(_MOST.finditer(sentence))
    names = set(re.findall(r"`(\w+)`", sentence))
    if len(found) == 1 and _KEEPS.search(sentence):
        text = f"{sentence[: found[0].start()]}latest{sentence[found[0].end() :]}"
        for name in sorted(names):
            yield name, text


def _verb(match: re.Match[str], forms: dict[str, str]) -> str | None:
    word = match["verb"]
    new = forms.get(word.lower())
    return new and (new[0].upper() + new[1:] if word[0].isupper() else new)


def _summed(sentence: str) -> Iterator[tuple[str, str]]:
    for match in _ADD.finditer(sentence):
        verb = _verb(match, _ADD_FORMS)
        if verb:
            made = f"{verb} {match['what']} in "
            yield match["v"], sentence[: match.start()] + made + sentence[match.end() :]


def _counted(sentence: str) -> Iterator[tuple[str, str]]:
    for match in _INCREMENT.finditer(sentence):
        verb = _verb(match, _INCREMENT_FORMS)
        if verb:
            made = f"{verb} `{match['v']}` to 1"
            yield match["v"], sentence[: match.start()] + made + sentence[match.end() :]


def _kept(sentence: str) -> Iterator[tuple[str, str]]:
    for match in _INTO_SET.finditer(sentence):
        verb = _verb(match, _KEEP_ONLY)
        if verb:
            made = f"{verb} {match['what']} in "
            yield match["v"], sentence[: match.start()] + made + sentence[match.end() :]


def _carried(sentence: str) -> Iterator[tuple[str, str]]:
    for match in _UPDATE.finditer(sentence):
        word = match["verb"].lower()
        ending = word if word.startswith("set") else re.sub(r"^(?:updat|mov)", "", word)
        leave = _LEAVE.get(ending, "leave")
        leave = leave.capitalize() if match["verb"][0].isupper() else leave
        made = f"{leave} `{match['v']}` as it is"
        yield match["v"], sentence[: match.start()] + made + sentence[match.end() :]


_Change = Callable[[str], Iterator[tuple[str, str]]]
_WAYS: tuple[tuple[frozenset[str], _Change], ...] = (
    (frozenset({"running_best"}), _best),
    (frozenset({"running_sum", "partial_sum"}), _summed),
    (frozenset({"running_count"}), _counted),
    (frozenset({"all_seen"}), _kept),
    (frozenset({"carried"}), _carried),
)
