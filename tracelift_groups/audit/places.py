"""Where in a trace its flaw lies: a reader who need look in one place only learns to look there."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tracelift_groups.audit.cheap import Traces
from tracelift_groups.records import Group, Trace

THIRDS = ("first", "middle", "last")


class Places(NamedTuple):
    """The third of its trace that each flaw lies in: 0, 1 or 2, and -1 for sound traces."""

    third_N: NDArray[np.int64]

    def fullest(self, chosen_N: NDArray[np.bool_]) -> int:
        """The third that most of the chosen flaws lie in."""
        return int(np.argmax(np.bincount(self.third_N[chosen_N], minlength=len(THIRDS))))


def places_of(traces: Traces) -> Places:
    """Place every flaw: by its certificate, or where the trace first leaves its parent."""
    thirds = [
        -1 if trace.sound else _third(_place(trace, traces.groups[int(number)]))
        for number, trace in zip(traces.group_N, traces.traces, strict=True)
    ]
    return Places(np.array(thirds, dtype=np.int64))


def _third(place: float) -> int:
    return min(len(THIRDS) - 1, int(place * len(THIRDS)))


def _place(trace: Trace, group: Group) -> float:
    """The middle of the flaw, in shares of the trace from 0 to 1."""
    if trace.certificate is not None:
        return (trace.certificate.start + trace.certificate.end) / 2 / max(1, len(trace.text))
    parent = next((one for one in group.traces if one.trace_id == trace.parent_id), group.reference)
    before, after = parent.text.split(), trace.text.split()
    codes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    first = next((code[3] for code in codes if code[0] != "equal"), 0)
    return first / max(1, len(after))
