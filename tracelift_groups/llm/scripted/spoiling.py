"""The ways in which a reply about a flaw is useless: each is what one of the checks is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tracelift_groups.perturb.math.sentences import lower_first


def unchanged(original: str, flawed: str) -> str:
    """The text that was to be flawed."""
    return original


def gives_away(original: str, flawed: str) -> str:
    """A flaw with a remark on it."""
    return f"{flawed} This was worked out incorrectly."


def not_local(original: str, flawed: str) -> str:
    """A flaw in a text that was written anew from the first word to the last."""
    return "\n".join(
        f"Put another way, {lower_first(line.strip())}"
        for line in flawed.split("\n")
        if line.strip()
    )


def twice_as_long(original: str, flawed: str) -> str:
    """A flaw, and everything said once more."""
    return f"{flawed}\nOnce more, from the beginning.\n{original}"


def answer_line(original: str, flawed: str) -> str:
    """A flaw with a final-answer line behind it."""
    return f"{flawed}\nThe answer is 12."


SPOILED: Mapping[str, Callable[[str, str], str]] = {
    spoiled.__name__: spoiled
    for spoiled in (unchanged, gives_away, not_local, twice_as_long, answer_line)
}
"""Takes the original and a flawed text, and gives the reply that is no use."""
