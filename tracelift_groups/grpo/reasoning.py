"""The reasoning in what a planner wrote: what is in its tags, without the executor's work.

A reasoning is reason-only. A final answer stated in it, or a program, would let the executor copy:
the planner would be paid for answers, not for reasoning. Such lines are taken out before anybody
reads the text, and it is counted.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from tracelift_groups.grpo.leaks import without_leak
from tracelift_groups.records import Domain

OPEN, CLOSE = "<reasoning>", "</reasoning>"
_TAG = re.compile(r"</?reasoning>")
_MARKUP = re.compile(r"<\s*+/?\s*+(?:reasoning|problem)\b", re.IGNORECASE)
"""What the executor's prompt marks its parts with, however it is spelled."""


class Format(enum.StrEnum):
    """What is in a completion."""

    OK = "ok"
    NO_TAGS = "no_tags"
    UNCLOSED = "unclosed"
    SEVERAL = "several"
    """More tags than one pair, or marks of the executor's prompt inside: a text that games whoever
    looks for the first tag or the last one."""
    EMPTY = "empty"
    """Nothing between the tags, or nothing but a stated answer or a program."""
    LEAKED = "leaked"
    """A stated answer or a program in the reasoning, where that is forbidden."""


class Reasoning(NamedTuple):
    """The reasoning of a completion.

    Attributes:
        text: For the executor and the reward model; empty unless the format is OK.
        format: What was found.
        leaked: Whether an answer or a program was taken out.
        outside: Characters beside the tags, which nobody reads.
    """

    text: str
    format: Format
    leaked: bool = False
    outside: int = 0

    @property
    def usable(self) -> bool:
        """Whether there is a reasoning to work from."""
        return self.format is Format.OK


def extract(completion: str, domain: Domain, *, prefilled: bool = False) -> Reasoning:
    """Find the reasoning in a completion.

    Args:
        completion: What the planner wrote.
        domain: What counts as the executor's work: a stated answer, or a program.
        prefilled: Whether the prompt ended with the opening tag; a model that repeats it is not
            held to have written two.
    """
    # Half of a surrogate pair can be sent to nobody.
    text = completion.encode("utf-8", "replace").decode()
    if prefilled and not text.lstrip().startswith(OPEN):
        text = f"{OPEN}{text}"
    tags = _TAG.findall(text)
    if OPEN not in tags:
        return Reasoning("", Format.NO_TAGS)
    if tags == [OPEN]:
        return Reasoning("", Format.UNCLOSED)
    if tags != [OPEN, CLOSE]:
        return Reasoning("", Format.SEVERAL)
    before, _, rest = text.partition(OPEN)
    inside, _, after = rest.partition(CLOSE)
    if _MARKUP.search(inside):
        return Reasoning("", Format.SEVERAL)
    kept = without_leak(inside, domain)
    outside = len(before.strip()) + len(after.strip())
    leaked = kept != inside
    return Reasoning(kept.strip(), Format.OK if kept.strip() else Format.EMPTY, leaked, outside)
