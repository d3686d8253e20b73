# ruff: noqa: E501 - cases read better on one line
"""Finding the program in a reply, and comparing outputs."""

from __future__ import annotations

import time

import pytest

from tracelift_groups.verify.compare import difference
from tracelift_groups.verify.extract import extract_program

_F = "```"


@pytest.mark.parametrize(
    ("reply", "entry_point", "program"),
    [
        (f"Here:\n{_F}python\nx = 1\n{_F}\nDone.", "", "x = 1\n"),
        (f"{_F}py\nx = 1\n{_F}", "", "x = 1\n"),
        (f"{_F}Python3\nx = 1\n{_F}", "", "x = 1\n"),
        (f"{_F}\nx = 1\n{_F}", "", "x = 1\n"),
        ("~~~python\nx = 1\n~~~", "", "x = 1\n"),
        (f"{_F}`python\ns = '''\n{_F}\n'''\n{_F}`", "", f"s = '''\n{_F}\n'''\n"),
        (f"Draft {_F}python\n", "", None),
        (f"{_F}python\nx = 1\n{_F}\nbetter:\n{_F}python\nx = 2\n{_F}", "", "x = 2\n"),
        (f"{_F}python\nx = 1\n{_F}\nOutput:\n{_F}\n1\n{_F}", "", "x = 1\n"),
        (f"{_F}text\n1 2\n{_F}\n{_F}python\nx = 1\n{_F}\n{_F}bash\npython x.py\n{_F}", "", "x = 1\n"),
        (f"{_F}cpp\nint x;\n{_F}", "", None),
        (f"{_F}python\ndef f(): pass\n{_F}\nUse it:\n{_F}python\nprint(f())\n{_F}", "f", "def f(): pass\n"),
        (f"{_F}python\nclass Solution:\n  def g(s): pass\n{_F}\n{_F}python\nSolution().g()\n{_F}", "Solution().g", "class Solution:\n  def g(s): pass\n"),
        (f"{_F}python\nf = lambda: 1\n{_F}\n{_F}python\nprint(f())\n{_F}", "f", "f = lambda: 1\n"),
        (f"{_F}python\nx = 1\nprint(x)", "", "x = 1\nprint(x)"),
        (f"<think>\n{_F}python\nx = 1\n{_F}\n</think>\n{_F}python\nx = 2\n{_F}", "", "x = 2\n"),
        (f"<think>\n{_F}python\nx = 1\n{_F}\n</think>\nI give up, it is too hard for me.", "", None),
        (f"1. First:\n   {_F}python\n   x = 1\n   {_F}", "", "   x = 1\n"),
        ("n = int(input())\nprint(n)\n", "", "n = int(input())\nprint(n)\n"),
        ("*a, b = map(int, input().split())\nprint(b)", "", "*a, b = map(int, input().split())\nprint(b)"),
        ('"""Adds."""\nimport sys\nprint(1)', "", '"""Adds."""\nimport sys\nprint(1)'),
        ("def add(a, b):\n    return a + b", "add", "def add(a, b):\n    return a + b"),
        ("The solution is this:\n\nimport sys\ndef f():\n    return 1\n\nprint(f())\n\nIt runs in linear time.", "", "import sys\ndef f():\n    return 1\n\nprint(f())\n"),
        ("I do not know how to solve this one.", "", None),
        ("42", "", None),
        ("", "", None),
        ("a\r\n" + f"{_F}python\r\nx = 1\r\n{_F}\r\n", "", "x = 1\n"),
    ],
)  # fmt: skip
def test_program_in_a_reply(reply, entry_point, program):
    found = extract_program(reply, entry_point)
    if found is not None and program is not None:
        assert found.strip() == program.strip()
    else:
        assert found == program


@pytest.mark.parametrize(
    "reply",
    [
        "`" * 200_000,
        ("`" * 3 + "\n") * 50_000,
        "x = " + "(" * 200_000,
        "a " * 300_000,
        "a, " * 200_000,
        "\\n" * 200_000,
        "x" * 500_000 + "(",
        "def " * 100_000,
        "if x: " * 50_000,
        "I " + "word " * 100_000,
        "f" + "[" * 100_000 + "\n" + "x." * 100_000,
        "if " + "a:" * 50_000 + "x",
        "for " + ":" * 100_000 + "!",
        "a :" + " " * 100_000 + "!",
        "f()" + " " * 100_000 + "!",
        _F + "a" * 100_000 + "`",
        _F + " " * 100_000 + "`",
    ],
)
def test_hostile_replies_cost_little(reply):
    started = time.process_time()
    extract_program(reply, "f")
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize(
    ("expected", "written", "agree"),
    [
        ("1 2\n3", "1 2 3\n\n", True),
        ("1", "1", True),
        ("1", "01", False),
        ("1", "1.0", False),
        ("1", "2", False),
        ("1", "", False),
        ("1", "1 1", False),
        ("1 1", "1", False),
        ("YES", "yes", False),
        ("0.5", "0.50", True),
        ("0.5", ".5", True),
        ("0.3333333333", "0.33333334", True),
        ("0.333333", "0.3334", False),
        ("2.0", "2", True),
        ("1e-3", "0.001", True),
        ("1e3", "1000", True),
        ("0.0", "0.0000000001", True),
        ("0.0", "0.0001", False),
        ("0.5", "nan", False),
        ("0.5", "inf", False),
        ("1.5", "1_0.5", False),
        ("1.5", "١.٥", False),
        ("1.5", "1.5" + "0" * 1000, False),
        ("nan", "nan", True),
        ("", "", False),
        (" \n", "", False),
        ("é", "é", True),
    ],
)
def test_outputs_agree_token_by_token(expected, written, agree):
    assert (difference(expected, written.encode()) is None) == agree


def test_the_first_difference_is_told():
    assert difference("1 2 3", b"1 5 3") == "token 2: expected '2', got '5'"
    assert difference("1 2 3", b"1 2") == "expected 3 tokens, got 2"
    assert "..." in (difference("x" * 100, b"y") or "")
