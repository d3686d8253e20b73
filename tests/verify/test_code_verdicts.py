# ruff: noqa: E501 - cases read better on one line
"""Verdicts on programs, by stdin/stdout and by asserts."""

from __future__ import annotations

import asyncio

import pytest

from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.sandbox import InfraError, Layers, Limits, ProgramJob, SandboxPool
from tracelift_groups.verify.verdict import Verdict

_SQUARE = [StdioTest("3\n", "9\n"), StdioTest("4\n", "16\n"), StdioTest("5\n", "25\n")]


@pytest.mark.parametrize(
    ("code", "verdict", "passed"),
    [
        ("print(int(input()) ** 2)", Verdict.PASS, 3),
        ("print(9)", Verdict.WRONG_ANSWER, 1),
        ("print()", Verdict.WRONG_ANSWER, 0),
        ("", Verdict.NO_CODE, 0),
        (None, Verdict.NO_CODE, 0),
        ("print(int(input()) ** 2", Verdict.COMPILE_ERROR, 0),
        ("print(int(input()) ** 2); raise ValueError", Verdict.RUNTIME_ERROR, 0),
        ("print(int(input()) ** 2); exit(1)", Verdict.RUNTIME_ERROR, 0),
        ("import ctypes; print(9, flush=True); ctypes.string_at(0)", Verdict.RUNTIME_ERROR, 0),
        ("x = [0] * 10**9", Verdict.MEMORY, 0),
        ("while True: pass", Verdict.TIMEOUT, 0),
        ("print(int(input()) ** 2, end='\\n' * 1000)", Verdict.PASS, 3),
    ],
)
def test_stdio_verdicts(pool, code, verdict, passed):
    verifier = CodeVerifier(runner=pool, limits=Limits(cpu_s=0.5, memory_mib=512))
    result = verifier.stdio(code, _SQUARE)
    assert (result.verdict, result.passed, result.total) == (verdict, passed, 3)
    assert result.valid
    assert bool(result.detail) == (verdict is not Verdict.PASS)


def test_output_beyond_the_limit_is_never_a_pass(pool):
    verifier = CodeVerifier(runner=pool, limits=Limits(output_bytes=1000))
    result = verifier.stdio("print(9); print(' ' * 5000)", [StdioTest("", "9")])
    ignored = "import os\ntry:\n  os.write(1, b'9' + b' ' * 5000)\nexcept OSError: pass"
    again = verifier.stdio(ignored, [StdioTest("", "9")])
    assert result.verdict is Verdict.RUNTIME_ERROR
    assert again.verdict is Verdict.RUNTIME_ERROR
    assert "output" in again.detail


class _Counting:
    """A runner that counts."""

    def __init__(self, pool):
        self.pool, self.runs = pool, 0

    def run(self, job):
        self.runs += 1
        return self.pool.run(job)

    def check(self, job):
        self.runs += 1
        return self.pool.check(job)

    def close(self):
        pass


def test_the_first_failure_ends_the_tests_unless_all_are_wanted(pool):
    runner = _Counting(pool)
    verifier = CodeVerifier(runner=runner)
    assert verifier.stdio("print(16)", _SQUARE).passed == 0
    assert runner.runs == 1
    result = verifier.stdio("print(16)", _SQUARE, every_test=True)
    assert runner.runs == 4
    assert (result.verdict, result.passed) == (Verdict.WRONG_ANSWER, 1)
    assert "test 1" in result.detail


@pytest.mark.parametrize(
    "tests", [[], [StdioTest("", "")], [StdioTest("", "1"), StdioTest("", " \n")]]
)
def test_no_tests_or_an_empty_output_is_invalid_and_runs_nothing(pool, tests):
    runner = _Counting(pool)
    result = CodeVerifier(runner=runner).stdio("print()", tests)
    assert result.verdict is Verdict.SANDBOX_ERROR
    assert not result.valid
    assert runner.runs == 0


class _Broken:
    def run(self, job):
        raise InfraError("no luck")

    check = run

    def close(self):
        pass


def test_infrastructure_failures_are_invalid_never_zero():
    verifier = CodeVerifier(runner=_Broken())
    for result in (verifier.stdio("x", _SQUARE), verifier.function("x", "assert f()")):
        assert result.verdict is Verdict.SANDBOX_ERROR
        assert not result.valid
        assert "no luck" in result.detail


def test_async_verdicts(verifier):
    async def both():
        return await asyncio.gather(
            verifier.astdio("print(int(input()) ** 2)", _SQUARE),
            verifier.afunction("def f(): return 1", "assert f() == 1"),
        )

    assert [result.verdict for result in asyncio.run(both())] == [Verdict.PASS] * 2


def test_numpy_programs_run():
    pytest.importorskip("numpy")
    with CodeVerifier(1) as verifier:
        code = "import sys, numpy as np\nprint(int(np.arange(10).sum()))"
        assert verifier.stdio(code, [StdioTest("", "45")]).verdict is Verdict.PASS
        function = "import numpy as np\ndef f(n): return np.arange(n)"
        tests = "import numpy as np\nassert f(3) == [0, 1, 2]\nassert np.allclose(f(2), [0, 1])"
        assert verifier.function(function, tests).verdict is Verdict.PASS


# --------------------------------------------------------------------------- function mode

_ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("code", "tests", "options", "verdict"),
    [
        (_ADD, "assert add(1, 2) == 3\nassert add('a', 'b') == 'ab'", {}, "pass"),
        (_ADD, "def check(candidate):\n    assert candidate(1, 2) == 3", {"entry_point": "add"}, "pass"),
        (_ADD, "def check(c):\n    assert c(1, 2) == 3\ncheck(add)", {}, "pass"),
        (_ADD, "def check(c):\n    assert c(1, 2) == 3\ncheck(candidate)", {"entry_point": "add"}, "pass"),
        (
            "class Solution:\n    def add(self, a, b): return a + b",
            "def check(candidate):\n    assert candidate(a=1, b=2) == 3",
            {"entry_point": "Solution().add"},
            "pass",
        ),
        (_ADD, "for a, b, s in [(1, 2, 3), (4, 5, 9)]:\n    assert add(a, b) == s", {}, "pass"),
        (_ADD, "if add(1, 2) != 3:\n    raise ValueError('wrong')", {}, "pass"),
        (_ADD, "assert math.isclose(add(.1, .2), .3)", {}, "pass"),
        ("def f(x):\n    raise ValueError('no')", "try:\n    f(1)\n    assert False\nexcept ValueError:\n    assert True", {}, "pass"),
        ("def sum(a, b): return a - b", "assert sum(3, 1) == 2", {}, "pass"),
        ("def f(x): return x", "assert f(float('nan')) != 1\nassert f((1, [2])) == (1, [2])", {}, "pass"),
        ("def f(): yield 1; yield 2", "assert list(f()) == [1, 2]", {}, "pass"),
        ("class P:\n    def __init__(s, x): s.x = x\n    def twice(s): return 2 * s.x", "p = P(4)\nassert p.x == 4\nassert p.twice() == 8", {}, "pass"),
        ("class P:\n    def __init__(s, x): s.x = x\ndef f(ps): return max(p.x for p in ps)", "assert f([P(4), P(9)]) == 9", {}, "pass"),
        ("class N:\n    def __init__(s, v): s.v = v; s.n = None\ndef f(r): return r.v + r.n.v", "assert f(root) == 3", {"setup": "root = N(1)\nroot.n = N(2)"}, "pass"),
        (_ADD, "assert add(1, 2) == 4", {}, "wrong_answer"),
        ("def add(a, b): pass", "assert add(1, 2) < 4", {}, "wrong_answer"),
        (_ADD, "assert add(1, 'x') == 4", {}, "runtime_error"),
        ("def sub(a, b): return 0", "assert add(1, 2) == 3", {}, "runtime_error"),
        ("import nothing_of_that_name\n" + _ADD, "assert add(1, 2) == 3", {}, "runtime_error"),
        ("1 / 0\n" + _ADD, "assert add(1, 2) == 3", {}, "runtime_error"),
        ("def add(a, b) return a", "assert add(1, 2) == 3", {}, "compile_error"),
        ("def add(a, b):\n    while True: pass", "assert add(1, 2) == 3", {}, "timeout"),
        ("while True: pass", "assert add(1, 2) == 3", {}, "timeout"),
        ("def add(a, b): return [0] * 10**9", "assert add(1, 2) == 3", {}, "memory"),
        ("x = [0] * 10**9", "assert add(1, 2) == 3", {}, "memory"),
        (None, "assert add(1, 2) == 3", {}, "no_code"),
        (" ", "assert add(1, 2) == 3", {}, "no_code"),
        (_ADD, "", {}, "sandbox_error"),
        (_ADD, "add(1, 2)", {}, "sandbox_error"),
        (_ADD, "assert True", {}, "sandbox_error"),
        (_ADD, "assert len([1]) == 1", {}, "runtime_error"),
        (_ADD, "assert (", {}, "sandbox_error"),
        (_ADD, "def check(candidate):\n    assert candidate(1, 2) == 3", {}, "sandbox_error"),
        (_ADD, "import not_there\nassert add(1, 2) == 3", {}, "sandbox_error"),
        (_ADD, "def test_it():\n    assert add(1, 2) == 3", {}, "sandbox_error"),
        ("def f(): return []", "for x in f():\n    assert x == 1", {}, "wrong_answer"),
    ],
)  # fmt: skip
def test_function_verdicts(pool, code, tests, options, verdict):
    verifier = CodeVerifier(runner=pool, limits=Limits(cpu_s=0.5, memory_mib=512))
    result = verifier.function(code, tests, **options)
    assert str(result.verdict) == verdict, result.detail


def test_assert_statements_are_counted(verifier):
    tests = "assert add(1, 2) == 3\nassert add(2, 2) == 4\nassert add(0, 0) == 1"
    result = verifier.function(_ADD, tests)
    assert (result.passed, result.total) == (2, 3)
    loop = "for i in range(5):\n    assert add(i, i) == 2 * i"
    result = verifier.function(_ADD, loop)
    assert (result.passed, result.total) == (1, 1)


def test_changes_to_arguments_come_back(verifier):
    code = """
class Solution:
    def rotate(self, nums, k):
        nums[:] = nums[-k:] + nums[:-k]
        nums.append([1])
    def nested(self, rows, seen, d):
        rows[0][1] = 9; seen.add(5); d['k'].append(1); return rows[0]
"""
    tests = """
a = [1, 2, 3]
assert Solution().rotate(a, 1) is None
assert a == [3, 1, 2, [1]]
rows, seen, d = [[1, 2], [3]], {4}, {'k': []}
back = Solution().nested(rows, seen, d)
assert rows == [[1, 9], [3]] and seen == {4, 5} and d == {'k': [1]}
assert back is rows[0]
"""
    result = verifier.function(code, tests)
    assert result.verdict is Verdict.PASS, result.detail


_LISTS = """
class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
    def same(self, other):
        return self.val == other.val
def build(values):
    head = None
    for v in reversed(values): head = ListNode(v, head)
    return head
def values(node):
    out = []
    while node: out.append(node.val); node = node.next
    return out
"""
_REVERSE = """
class Solution:
    def reverse(self, head: ListNode):
        last = None
        while head: head.next, last, head = last, head, head.next
        return last
"""


def test_nodes_that_the_setup_defines_travel_as_data(verifier):
    tests = "assert values(candidate(head=build(list(range(3000))))) == list(range(2999, -1, -1))"
    result = verifier.function(_REVERSE, tests, entry_point="Solution().reverse", setup=_LISTS)
    assert result.verdict is Verdict.PASS, result.detail


def test_methods_of_nodes_cannot_be_replaced_by_fields(verifier):
    code = """
class Solution:
    def reverse(self, head):
        head.same = bool
        return head
"""
    tests = "assert candidate(build([1, 2])).same(build([3]))"
    result = verifier.function(code, tests, entry_point="Solution().reverse", setup=_LISTS)
    assert result.verdict is Verdict.RUNTIME_ERROR


def test_helpers_of_the_setup_belong_to_the_tests(verifier):
    """Else a program could bring an `encode` of its own that any `decode` undoes."""
    setup = "def encode(s):\n    return s[::-1]\n"
    tests = "assert decode(encode('abc')) == 'abc'"
    cheat = "def encode(s): return s\ndef decode(s): return s"
    honest = "def decode(s): return s[::-1]"
    assert verifier.function(honest, tests, entry_point="decode", setup=setup).passed
    result = verifier.function(cheat, tests, entry_point="decode", setup=setup)
    assert result.verdict is Verdict.WRONG_ANSWER


def test_the_program_sees_the_setup_but_not_the_tests(verifier):
    code = "from typing import get_type_hints\ndef f(x: List[int]) -> int: return sqrt(x[0])"
    setup = "from typing import *\nfrom math import *"
    assert verifier.function(code, "assert f([9]) == 3", setup=setup).verdict is Verdict.PASS


def test_an_entry_point_named_like_something_in_the_setup_is_the_programs(verifier):
    tests = "def check(candidate):\n    assert candidate(12, 18) == 6"
    setup = "from math import *"
    wrong = verifier.function("def gcd(a, b): return 1", tests, entry_point="gcd", setup=setup)
    assert wrong.verdict is Verdict.WRONG_ANSWER


def test_stop_iteration_does_not_end_a_loop_of_asserts(verifier):
    tests = "assert all(map(lambda x: f(x) == 1, range(3)))"
    result = verifier.function("def f(x): raise StopIteration", tests)
    assert result.verdict is Verdict.RUNTIME_ERROR


def test_a_program_that_closes_its_side_is_a_failure_not_infra(verifier):
    code = "import os, time\ndef f():\n    os.closerange(3, 200); time.sleep(2)"
    result = verifier.function(code, "assert f() == 1")
    assert result.verdict is Verdict.RUNTIME_ERROR


def test_iterators_and_views_travel_both_ways(verifier):
    code = "def f(xs): return (x + 1 for x in xs)"
    tests = (
        "assert list(f(iter([1, 2]))) == [2, 3]\nassert list(f(f([1]))) == [3]\n"
        "assert list(f({1: 0}.keys())) == [2]\nassert list(f(map(abs, [-4]))) == [5]"
    )
    result = verifier.function(code, tests)
    assert result.verdict is Verdict.PASS, result.detail


def test_methods_of_the_programs_objects_can_be_passed_on(verifier):
    code = "class P:\n    def one(self): return 1\ndef call(f): return f()"
    result = verifier.function(code, "p = P()\nassert call(p.one) == 1\nassert p.one() == 1")
    assert result.verdict is Verdict.PASS, result.detail


def test_an_exception_of_the_programs_own_is_caught_by_its_builtin_base(verifier):
    code = "class Low(ValueError): pass\ndef f(x): raise Low(f'{x} is low')"
    tests = """
try:
    f(1)
    assert False
except ValueError as error:
    assert str(error) == '1 is low' and type(error).__name__ == 'Low'
"""
    result = verifier.function(code, tests)
    assert result.verdict is Verdict.PASS, result.detail
    uncaught = verifier.function(code, "assert f(1) == 1")
    assert (uncaught.verdict, uncaught.detail) == (Verdict.RUNTIME_ERROR, "Low: 1 is low")


def test_a_program_that_dies_is_no_expected_exception(verifier):
    tests = "try:\n    f()\nexcept Exception:\n    pass\nassert True"
    dies = verifier.function("import os\ndef f(): os._exit(0)", tests)
    assert dies.verdict is Verdict.RUNTIME_ERROR
    swallowed = "try:\n    f()\nexcept BaseException:\n    pass\nassert True"
    assert verifier.function("import os\ndef f(): os._exit(0)", swallowed).passed == 0
    assert verifier.function("def f(): raise ValueError", tests).verdict is Verdict.PASS


def test_a_tight_output_limit_leaves_room_for_the_report(pool):
    verifier = CodeVerifier(runner=pool, limits=Limits(output_bytes=100))
    result = verifier.function("def f(): raise ValueError('\U0001f600' * 900)", "assert f() == 1")
    assert result.verdict is Verdict.RUNTIME_ERROR
    assert result.detail.startswith("ValueError: ")


def test_tests_nested_too_deeply_are_unusable(verifier):
    result = verifier.function(_ADD, "assert " + "-" * 100_000 + "add(1, 2) == 3")
    assert result.verdict is Verdict.SANDBOX_ERROR
    assert "unusable tests" in result.detail


def test_tests_may_use_numpy_without_importing_it():
    pytest.importorskip("numpy")
    with CodeVerifier(1) as verifier:
        result = verifier.function("def f(n): return [n]", "assert np.allclose(f(3), [3.0])")
    assert result.verdict is Verdict.PASS, result.detail


def test_sets_have_one_order_in_program_and_tester_of_every_zygote():
    words = "{'ab', 'cd', 'ef', 'gh', 'ij', 'kl'}"
    orders = set()
    for _ in range(3):
        with SandboxPool(1) as pool:
            printed = pool.run(ProgramJob(f"print(*{words})")).stdout.decode().split()
            orders.add(tuple(printed))
            verifier = CodeVerifier(runner=pool)
            result = verifier.function(
                f"def f(): return list({words})",
                f"assert f() == {printed!r}\nassert list({words}) == {printed!r}",
            )
            assert result.verdict is Verdict.PASS, result.detail
    assert len(orders) == 1


@pytest.mark.parametrize("layers", [Layers(), Layers(namespaces=False)], ids=["ns", "base"])
def test_function_mode_in_each_tier(layers):
    with SandboxPool(1, layers=layers) as pool:
        verifier = CodeVerifier(runner=pool)
        assert verifier.function(_ADD, "assert add(1, 2) == 3").verdict is Verdict.PASS
        assert verifier.function(_ADD, "assert add(1, 2) == 4").verdict is Verdict.WRONG_ANSWER
