# ruff: noqa: E501 - cases read better on one line
"""Verdicts on mathematical answers."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import threading
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelift_groups.verify import latex
from tracelift_groups.verify.answers import boxed, stated_answers
from tracelift_groups.verify.exact import parse_number
from tracelift_groups.verify.math import MathVerifier, gold_answer
from tracelift_groups.verify.symbolic import SymbolicComparer
from tracelift_groups.verify.verdict import Verdict

pytest.importorskip("math_verify")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("+42", 42),
        ("-42", -42),
        ("−42", -42),
        ("–42", -42),
        ("42.", 42),
        ("42.0", 42),
        ("007", 7),
        (".5", Fraction(1, 2)),
        ("3.14", Fraction(157, 50)),
        ("1,234", 1234),
        ("1,234,567.5", Fraction(2469135, 2)),
        ("1{,}234", 1234),
        ("1\\,234", 1234),
        ("10,\\!080", 10080),
        ("11,\\! 111,\\! 111,\\! 100", 11111111100),
        ("10\u202f000", 10000),
        ("$42", 42),
        ("\\$42", 42),
        ("\\$32,\\!348", 32348),
        ("-$5", -5),
        ("$-5", -5),
        ("42 dollars", 42),
        ("42\\text{ dollars}", 42),
        ("42€", 42),
        ("$42$", 42),
        ("\\(42\\)", 42),
        ("**42**", 42),
        ("\\textbf{42}", 42),
        ("3/4", Fraction(3, 4)),
        ("-3/4", Fraction(-3, 4)),
        ("\\frac{3}{4}", Fraction(3, 4)),
        ("-\\dfrac{3}{4}", Fraction(-3, 4)),
        ("\\frac{-3}{4}", Fraction(-3, 4)),
        ("\\frac34", Fraction(3, 4)),
        ("\\frac 59", Fraction(5, 9)),
        ("\\frac9{19}", Fraction(9, 19)),
        ("1 1/2", Fraction(3, 2)),
        ("-1 1/2", Fraction(-3, 2)),
        ("1\\frac{4}{5}", Fraction(9, 5)),
        ("137 \\frac{1}{2}", Fraction(275, 2)),
        ("1.5e3", 1500),
        ("1.5\\times 10^{3}", 1500),
        ("1.5 x 10^3", 1500),
        ("2 \\cdot 10^{-3}", Fraction(1, 500)),
        ("10^{6}", 1000000),
        ("90^\\circ", 90),
        ("90°", 90),
        ("90^{\\circ}", 90),
        ("5 km", 5),
        ("5cm", 5),
        ("5 miles per hour", 5),
        ("5 km/h", 5),
        ("864 \\mbox{ inches}^2", 864),
        ("15\\mbox{ cm}^2", 15),
        ("5 apples", 5),
    ],
)
def test_one_number(text, value):
    number = parse_number(text)
    assert number is not None
    assert number.value == value


@pytest.mark.parametrize(
    "text",
    """5 million|5 thousand|5 dozen|5 hundred|5k|5K|5M|5 or 6|5 and 6|5, 6|5 6|1 234|(5)|5!|5^2|5²|2+3
    2*3|x=5|5=5|1=2=3=4=5|not 7|7 not|about 5|~5|\\approx 5|>5|5 halves|3 quarters|7 tenths|5 percent off
    5 pi|5\\pi|5x|5i|5e|5n|--5|-+5|+-5|-5-|5-|5/0|\\frac{5}{0}|1 2/0|2 5/4|5//6|5/6/7|1,23|1,2345|12,34,567
    1.2.3|5..|٥|５|²|½|1/2/3|5:30|5%%|$5%|0x5|5_8|five|NaN|inf||  |.|-|$|%|5 minus 2|5 times 3|5 squared
    5 over 6|5 less|5 fewer than 6|5 dollars and 50 cents|5 to 6|5–6|5-6|1e9999|1e1000|10^{9999}|5 out of ten
    \\text{not }7|7\\text{ million}|5\\text{ or }6|\\sqrt{25}|5 one|5 twenty|5 negative|5 isn't|5 K""".replace(
        "\n", "|"
    ).split("|"),
)  # fmt: skip
def test_not_one_number(text):
    assert parse_number(text.strip(" ") if text.strip() else text) is None


@settings(max_examples=200)
@given(st.integers(-(10**15), 10**15), st.integers(0, 10**6 - 1))
def test_numbers_read_back_what_was_written(whole, part):
    assert parse_number(f"{whole:,}").value == whole
    written = f"{abs(whole)}.{part:06d}"
    assert parse_number(written).value == abs(whole) + Fraction(part, 10**6)
    if part:
        fraction = parse_number(f"\\frac{{{whole}}}{{{part}}}")
        assert fraction.value == Fraction(whole, part)


@settings(max_examples=300)
@given(st.text(max_size=250))
def test_any_text_is_a_number_or_none(text):
    parse_number(text)
    stated_answers(text)
    latex.objection("\\sqrt{2}", text)


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("72", "The total is 3 + 4.\n#### 72"),
        ("#### 72", "so \\boxed{72}"),
        ("He has <<3+4=7>>7.\n#### 7", "\\boxed{7}"),
        ("5", "\\boxed{\\boxed{5}}"),
        ("5", "\\boxed {5}"),
        ("5", "First \\boxed{5}, so again \\boxed{5.0}"),
        ("5", "\\boxed{5}\n#### 5"),
        ("5", "<think>it is \\boxed{6}</think>\\boxed{5}"),
        ("5", "<answer>5</answer>"),
        ("5", "<answer>\\boxed{5}</answer>"),
        ("42", "The answer is 42."),
        ("42", "The final answer is: $42$."),
        ("42", "**Answer:** 42 dollars"),
        ("42", "The answer is **42**."),
        ("3.5", "The answer is 3.5."),
        ("42", "42"),
        ("1234", "$1,234"),
        ("-5", "\\boxed{−5}"),
        ("1/2", "\\boxed{0.5}"),
        ("18%", "\\boxed{18\\%}"),
        ("18\\%", "\\boxed{18 percent}"),
        ("$18", "\\boxed{18}"),
        ("15\\mbox{ cm}^2", "\\boxed{15\\text{ cm}^2}"),
        ("90^\\circ", "\\boxed{90}"),
        ("5", "#### Step 1\nwe add\n#### 5"),
    ],
)
def test_numeric_passes(maths, gold, reply):
    result = maths.verify(gold, reply)
    assert result.verdict is Verdict.PASS, result.detail


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("5", "\\boxed{1=2=3=4=5}"),
        ("5", "\\boxed{x=5}"),
        ("18", "\\boxed{18%}"),
        ("18%", "\\boxed{18}"),
        ("18%", "\\boxed{0.18}"),
        ("1/3", "\\boxed{0.333333}"),
        ("1/3", "\\boxed{0.333333333333333333333}"),
        ("7", "\\boxed{\\text{not }7}"),
        ("7", "The answer is not 7."),
        ("7", "not 7"),
        ("5", "\\boxed{5}\\boxed{6}"),
        ("6", "\\boxed{5}\\boxed{6}"),
        ("5", "\\boxed{5}\n#### 6"),
        ("6", "\\boxed{5}\n#### 6"),
        ("5", "\\boxed{x=5} and \\boxed{5}"),
        ("5", "The answer is 5. No wait.\nThe answer is 6."),
        ("6", "The answer is 5. No wait.\nThe answer is 6."),
        ("5", "<answer>4</answer><answer>5</answer>"),
        ("5", "\\boxed{5 \\text{ or } 6}"),
        ("5", "\\boxed{5, 6}"),
        ("5", "\\boxed{\\{5\\}}"),
        ("5", "\\boxed{[5, 5]}"),
        ("5", "\\boxed{2+3}"),
        ("5", "\\boxed{\\sqrt{25}}"),
        ("5", "\\boxed{5 \\pm 0}"),
        ("5", "\\boxed{5\\text{ million}}"),
        ("5", "\\boxed{5 \\times 10^6}"),
        ("42", "\\boxed{42 cents}"),
        ("$18", "\\boxed{€18}"),
        ("15 km", "\\boxed{15 cm}"),
        ("12", "\\boxed{1,2}"),
        ("1000000", "\\boxed{1,000000}"),
        ("52", "\\boxed{5²}"),
        ("5", "\\boxed{٥}"),
        ("5", "\\boxed{5"),
        ("5", "\\boxed{}"),
        ("5", "\\boxed{5}\\boxed{"),
        ("5", "\\boxed{>4}"),
        ("5", "\\boxed{\\approx 5}"),
        ("5", "5 5"),
        ("5", "1 2 3 4 5"),
        ("5", "\\boxed{\\text{the answer is }5}"),
        ("100", "\\boxed{1e2e0}"),
        ("0", "\\boxed{-}"),
        ("5", "#### 5\n#### not 5"),
    ],
)
def test_numeric_failures(maths, gold, reply):
    assert maths.verify(gold, reply).verdict is Verdict.WRONG_ANSWER


@pytest.mark.parametrize("reply", ["", "I think so.\nWe get 5 apples and so 5.", "...5", "5\n6"])
def test_the_last_number_of_a_text_is_no_answer(maths, reply):
    assert maths.verify("5", reply).verdict in (Verdict.NO_ANSWER, Verdict.WRONG_ANSWER)


@pytest.mark.parametrize("gold", ["", " ", "####", "\\boxed{}"])
def test_an_empty_gold_is_invalid(maths, gold):
    assert not maths.verify(gold, "\\boxed{5}").valid


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("\\frac{\\sqrt{2}}{2}", "\\frac{1}{\\sqrt{2}}"),
        ("p - q", "-q + p"),
        ("2k+2", "2(k+1)"),
        ("11\\sqrt2", "11 \\sqrt{2}"),
        ("6 - 5i", "-5i+6"),
        ("x=5", "5"),
        ("1,-2", "-2, 1"),
        ("\\{1\\pm\\sqrt{5},-2\\}", "\\{1+\\sqrt5,1-\\sqrt5,-2\\}"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3, \\pi/2)"),
        ("\\text{Evelyn}", "Evelyn"),
        ("\\text{(C)}", "C"),
        ("\\dfrac{\\pi}{4}", "\\frac{\\pi}{4}"),
        ("4210_{5}", "4210_5"),
        ("\\frac{20000}{\\pi}", "20000/\\pi"),
        ("6\\sqrt{2}", "6\\sqrt{2}\\text{ cm}"),
        ("(-\\infty, 0]", "(-\\infty,0]"),
    ],
)
def test_symbolic_passes(maths, gold, reply):
    result = maths.verify(gold, f"So \\boxed{{{reply}}}.")
    assert result.verdict is Verdict.PASS, result.detail


@pytest.mark.parametrize(
    ("gold", "reply"),
    [
        ("\\sqrt{2}", "1.41421356237309504880"),
        ("\\sqrt{2}", "\\frac{1414213562}{1000000000}"),
        ("\\sqrt{2}", "\\approx \\sqrt{2}"),
        ("\\sqrt{2}", "x = \\sqrt{2}"),
        ("\\sqrt{2}", "\\text{not } \\sqrt{2}"),
        ("\\sqrt{2}", "\\sqrt{2} \\text{ or } \\sqrt{3}"),
        ("\\sqrt{2}", "\\sqrt{2}, \\sqrt{3}"),
        ("\\sqrt{2}", "1 \\to \\sqrt{2}"),
        ("\\sqrt{2}", "1 \\mid \\sqrt{2}"),
        ("\\sqrt{2}", "\\sqrt{2}\\%"),
        ("\\pi", "3.14159265358979"),
        ("(1,2)", "[1,2]"),
        ("(3,4]", "(3,4)"),
        ("(1,2)", "(2,1)"),
        ("52_8", "52"),
        ("52_8", "52_9"),
        ("p - q", "q - p"),
        ("\\text{Evelyn}", "Debra"),
        ("\\text{(C)}", "B"),
        ("\\begin{pmatrix} -2 \\\\ 7 \\end{pmatrix}", "\\begin{pmatrix} -2 \\\\ -7 \\end{pmatrix}"),
        ("3,5,7", "3,5"),
        ("3,5,7", "3,5,7,9"),
        ("x \\in [-2,7]", "x \\in [-2,8]"),
    ],
)
def test_symbolic_failures(maths, gold, reply):
    assert maths.verify(gold, f"\\boxed{{{reply}}}").verdict is Verdict.WRONG_ANSWER


def test_different_expressions_in_one_reply_do_not_pass(maths):
    reply = "\\boxed{\\sqrt{3}} or rather \\boxed{\\sqrt{2}}"
    assert maths.verify("\\sqrt{2}", reply).verdict is Verdict.WRONG_ANSWER


_HOSTILE = [
    "9^{9^{9^{9^{9^9}}}}",
    "100000000!",
    "((((10!)!)!)!)!",
    "\\frac{1}{" * 60 + "x" + "}" * 60,
    "{" * 120 + "x" + "}" * 120,
    "(" * 120 + "x" + ")" * 120,
    "\\sqrt{" * 50 + "2" + "}" * 50,
    "x^{x^{x^{x^{x^{x^{x^x}}}}}}",
    "(x+y+z+w+v)^{500}",
    "\\int_0^1 \\sin(x^{x^x}) dx",
    "\\sum_{k=1}^{10^{9}} k^{k}",
    "\\binom{10^{9}}{10^{8}}",
    "2^{10^{12}} - 2^{10^{12}} + \\sqrt{3}",
    "__import__('os').system('true')",
]


@pytest.mark.parametrize("reply", _HOSTILE)
def test_hostile_answers_are_bounded_by_the_wall_limit(hostile_maths, reply):
    started = time.monotonic()
    result = hostile_maths.verify("\\sqrt{2}", f"\\boxed{{{reply}}}")
    assert result.verdict in (Verdict.WRONG_ANSWER, Verdict.TIMEOUT)
    assert time.monotonic() - started < 20.0


@pytest.fixture(scope="module")
def hostile_maths():
    with MathVerifier(1, wall_s=0.5) as verifier:
        yield verifier


def test_the_process_works_on_after_a_timeout(hostile_maths):
    hostile_maths.verify("\\sqrt{7}", "\\boxed{9^{9^{9^{9^9}}}}")
    assert hostile_maths.verify("2k+2", "\\boxed{2(k+1)}").verdict is Verdict.PASS


def test_hostile_replies_to_numbers_never_reach_the_process():
    with MathVerifier() as verifier:
        for reply in _HOSTILE:
            result = verifier.verify("5", f"\\boxed{{{reply}}}")
            assert result.verdict is Verdict.WRONG_ANSWER
        assert verifier._symbolic._idle.queue == [None]


@pytest.mark.parametrize(
    "reply",
    [
        "\\boxed{" * 20_000,
        "\\boxed{" + "{" * 200_000,
        "\\boxed{5}" * 20_000,
        "#### \n" * 50_000,
        "answer is " * 50_000,
        "the answer is " + "1" * 300_000,
        "<answer>" * 50_000,
        "5" * 500_000,
        "1," * 200_000,
    ],
    ids=range(9),
)
def test_hostile_replies_cost_little(maths, reply):
    started = time.process_time()
    maths.verify("5", reply)
    assert time.process_time() - started < 5.0


def test_any_thread_may_compare_and_alarms_are_left_alone(maths):
    results = []
    previous = signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        thread = threading.Thread(
            target=lambda: results.append(maths.verify("3x+3", "\\boxed{3(x+1)}"))
        )
        thread.start()
        thread.join()
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 900
    finally:
        signal.setitimer(signal.ITIMER_REAL, *previous)
    assert results[0].verdict is Verdict.PASS


def test_a_comparison_process_that_is_killed_is_replaced():
    comparer = SymbolicComparer()
    assert comparer.agree("a+b", "b+a")
    (worker,) = comparer._idle.queue
    os.kill(worker._process.pid, signal.SIGKILL)
    assert comparer.agree("a+b+1", "b+a+1")
    comparer.close()


def test_a_comparison_process_that_does_not_start_is_invalid(monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with MathVerifier() as verifier:
        result = verifier.verify("\\sqrt{2}", "\\boxed{2^{1/2}}")
    assert result.verdict is Verdict.SANDBOX_ERROR
    assert not result.valid


def test_results_are_remembered():
    with MathVerifier() as verifier:
        first = verifier.verify("2k+2", "\\boxed{2(k+1)}")
        verifier._symbolic.agree = lambda *a: pytest.fail("compared again")
        assert verifier.verify("2k+2", "\\boxed{2(k+1)}") == first


def test_async(maths):
    assert asyncio.run(maths.averify("5", "\\boxed{5}")).verdict is Verdict.PASS


def test_boxes():
    assert boxed("\\boxed{a{b}c} and \\boxed{\\{1,2\\}}") == ["a{b}c", "\\{1,2\\}"]
    assert boxed("\\boxed{a") == [""]
    assert boxed("\\boxed 5") == [""]
    assert boxed("nothing") == []


def test_gold_answers():
    assert gold_answer("He has 3.\n#### 1,000") == "1,000"
    assert gold_answer("so \\boxed{x}") == "x"
    assert gold_answer(" x ") == "x"


# ----------------------------------------------------------------------------- real data


@pytest.mark.real_data
def test_all_gsm8k_golds_are_exact(real_rows, maths):
    rows = real_rows("gsm8k/test.jsonl") + real_rows("derived/gsm8k_train_minus_heldout.jsonl")
    for row in rows:
        gold = row["answer"].rpartition("####")[2].strip()
        assert parse_number(gold) is not None
        for reply in (row["answer"], f"\\boxed{{{gold}}}", f"The answer is ${gold}.", gold):
            assert maths.verify(row["answer"], reply).verdict is Verdict.PASS
        wrong = parse_number(gold).value + 1
        assert maths.verify(row["answer"], f"\\boxed{{{wrong}}}").verdict is Verdict.WRONG_ANSWER


@pytest.mark.real_data
def test_all_math500_golds_pass_against_themselves_and_not_each_other(real_rows, maths):
    golds = [row["answer"] for row in real_rows("math500/test.jsonl")]
    for gold in golds:
        for reply in (f"\\boxed{{{gold}}}", gold):
            assert maths.verify(gold, reply).verdict is Verdict.PASS, gold
    chooser = random.Random(0)
    numeric = [gold for gold in golds if parse_number(gold)]
    for gold in numeric:
        other = chooser.choice(numeric)
        same = parse_number(gold).value == parse_number(other).value
        assert (maths.verify(gold, f"\\boxed{{{other}}}").verdict is Verdict.PASS) <= same


@pytest.mark.real_data
@pytest.mark.slow
def test_math500_expressions_pass_when_written_differently(real_rows, maths):
    golds = [row["answer"] for row in real_rows("math500/test.jsonl")]
    special = re.compile(r"[,=_]|\\text|\\in\b|\\pm|matrix|\\circ|mbox")
    expressions = [g for g in golds if parse_number(g) is None and not special.search(g)]
    rejected = [
        gold
        for gold in expressions
        if maths.verify(gold, f"\\boxed{{0 + {gold}}}").verdict is not Verdict.PASS
        or maths.verify(gold, f"\\boxed{{1 + {gold}}}").verdict is Verdict.PASS
    ]
    assert len(expressions) > 40
    assert len(rejected) <= 1  # the library reads 0 + (a+5)(b+2) otherwise
