from __future__ import annotations

import io

from rich.console import Console

from tracelift_groups.groups import make_group
from tracelift_groups.records import Group
from tracelift_groups.report.diff import print_group, word_changes, word_diff
from tracelift_groups.seeds import SeedSource


def test_changes_by_hand() -> None:
    changes = list(word_changes("it is 6 * 14 = 84 rolls", "it is 6 * 14 = 74 rolls"))
    assert [(bool(style), piece) for style, piece in changes] == [
        (False, "it is 6 * 14 = "),
        (True, "84"),
        (True, " 74"),
        (False, " rolls"),
    ]


def test_equal_texts_have_no_marks() -> None:
    assert not word_diff("the same", "the same").spans[1:]
    assert word_diff("the same", "the same").plain == "the same"


def test_a_group_is_printed_with_every_flaw() -> None:
    group = make_group(next(iter(SeedSource("sample"))), 0)  # type: ignore[arg-type]
    assert isinstance(group, Group)
    out = io.StringIO()
    print_group(Console(file=out, width=200), group)
    text = out.getvalue()
    assert group.problem in text.replace("\n", " ") or group.problem[:60] in text
    for trace in group.traces:
        assert (trace.kind or trace.role) in text
