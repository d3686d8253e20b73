"""Programs for every form of fact: what it finds there, and near misses that give none."""

from __future__ import annotations

from typing import NamedTuple

from tests.perturb.code.programs import LOWEST


class Found(NamedTuple):
    """A program that gives one fact of a form.

    Attributes:
        form: The form.
        source: The program.
        quotes: The code that each of its sentences quotes at least.
        untruths: Of each thing false that may be said: kind, operator, and what the program has
            for what.
    """

    form: str
    source: str
    quotes: set[str]
    untruths: tuple[tuple[str, str, str, str], ...] = ()


def loop(body: str, *, start: str = "", head: str = "for x in xs:", end: str = "return xs") -> str:
    """A function with a loop; ``body`` is indented by what its lines have."""
    lines = [f"        {line}" for line in body.split("\n")]
    starts = [f"    {line}" for line in start.split("\n") if line]
    return "\n".join(["def f(xs, n):", *starts, f"    {head}", *lines, f"    {end}", ""])


def under(test: str, body: str) -> str:
    """A condition in a loop, as it stands in the source."""
    return f"if {test}:\n            {body}"


WI, WA, IC, ME = "wrong_invariant", "wrong_algorithm", "infeasible_complexity", "missing_edge_case"

STACK = loop("y = stack.pop()\nif y:\n    stack.append(y - 1)", start="stack = [3]",
             head="while stack:")  # fmt: skip
FOUND = [
    # state
    Found("running_best", loop("best = max(best, x)", start="best = float('-inf')"),
          {"best", "x"}, ((WI, "running_best", "best = max(best, x)", "best = x"),)),
    Found("running_best", loop("best = min(x * x, best)", start="best = float('inf')"),
          {"best", "x * x"}, ((WI, "running_best", "best = min(x * x, best)", "best = x * x"),)),
    Found("running_best", loop("if x > best:\n    best = x", start="best = xs[0]"),
          {"best", "x"}, ((WI, "running_best", under("x > best", "best = x"), "best = x"),)),
    Found("running_best", loop("if best >= x:\n    best = x", start="best = 10 ** 9"),
          {"best", "x"}, ((WI, "running_best", under("best >= x", "best = x"), "best = x"),)),
    Found("running_sum", loop("total += x", start="total = 0"),
          {"total", "x"}, ((WI, "running_sum", "total += x", "total = x"),)),
    Found("running_count", loop("if x > n:\n    k += 1", start="k = 0"),
          {"k", "x > n"}, ((WI, "running_count", "k += 1", "k = 1"),)),
    Found("partial_sum", loop("if x > n:\n    k += x", start="k = 0"),
          {"k", "x", "x > n"}, ((WI, "partial_sum", "k += x", "k = x"),)),
    Found("all_seen", loop("seen.add(x)", start="seen = set()"),
          {"seen", "x"}, ((WI, "all_seen", "seen.add(x)", "seen.clear()\n        seen.add(x)"),)),
    Found("latest_of", loop("at[x] = x + n", start="at = {}"),
          {"at", "x", "x + n"},
          ((WI, "latest_of", "at[x] = x + n", "at.setdefault(x, x + n)"),)),
    Found("tally", loop("k[x] += 1", start="k = defaultdict(int)"),
          {"k", "x"}, ((WI, "tally", "k[x] += 1", "k[x] = 1"),)),
    Found("gathered", loop("out.append(x + n)", start="out = []"),
          {"out", "x + n"}, ((WA, "gathered", "out.append(x + n)", "out.insert(0, x + n)"),)),
    Found("carried", loop("print(last)\nlast = x + n", start="last = 0"),
          {"last", "x + n"}, ((WI, "carried", "        last = x + n\n", ""),)),
    Found("undone", """\
def walk(path, left):
    for x in left:
        path.append(x)
        walk(path, left - {x})
        path.pop()
""", {"path"}, ((WI, "undone", "        path.pop()\n", ""),)),
    # method
    Found("sorted", "def f(xs):\n    xs.sort()\n    return xs[0]\n", {"xs"},
          ((WA, "skip_sort", "    xs.sort()\n", ""),
           (WA, "reverse_sort", "xs.sort()", "xs.sort(reverse=True)"))),
    Found("sorted", "def f(xs):\n    return g(sorted(xs, reverse=True))\n", {"xs"},
          ((WA, "skip_sort", "sorted(xs, reverse=True)", "list(xs)"),
           (WA, "reverse_sort", "sorted(xs, reverse=True)", "sorted(xs)"))),
    Found("sorted", "def f(xs):\n    return g(sorted(xs, key=len))\n", {"xs", "len"},
          ((WA, "skip_sort", "sorted(xs, key=len)", "list(xs)"),)),
    Found("taken", loop("y = queue.popleft()", start="queue = deque(xs)", head="while queue:"),
          {"queue"}, ((WA, "other_end", "queue.popleft()", "queue.pop()"),)),
    Found("taken", STACK, {"stack"}, ((WA, "other_end", "stack.pop()", "stack.pop(0)"),)),
    Found("taken", loop("y = heapq.heappop(heap)", start="heap = [1]", head="while heap:"),
          {"heap"}, ((WA, "other_end", "heapq.heappop(heap)", "heap.pop()"),)),
    # cost
    Found("results_kept", """\
@lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
""", {"fib"}, ((IC, "results_kept", "@lru_cache(maxsize=None)\n", ""),)),
    Found("looked_up", """\
def fib(n, memo):
    if n in memo:
        return memo[n]
    memo[n] = n if n < 2 else fib(n - 1, memo) + fib(n - 2, memo)
    return memo[n]
""", {"memo"}, ((IC, "looked_up", "    if n in memo:\n        return memo[n]\n", ""),)),
    Found("set_lookup", loop("if x in seen:\n    return x\nseen.add(x)", start="seen = set()"),
          {"seen"}, ((IC, "set_lookup", "x in seen", "x in list(seen)"),)),
    Found("set_lookup", loop("if x not in at:\n    at[x] = n", start="at = {}"),
          {"at"}, ((IC, "set_lookup", "x not in at", "x not in list(at)"),)),
    Found("sorted_once", loop("print(xs[x])", start="xs.sort()", head="for x in n:"), {"xs"},
          ((IC, "sorted_once", "xs.sort()\n    for x in n:",
            "for x in n:\n        xs.sort()"),)),
    Found("carried_on", loop("k += xs[i]\nprint(k)", start="k = 0", head="for i in range(n):"),
          {"k"}, ((IC, "carried_on", "k += xs[i]", "k = sum(xs[:i + 1])"),)),
    Found("heap_top", loop("print(heappop(h))", head="while h:", start="h = list(xs)"),
          {"h"}, ((IC, "heap_top", "heappop(h)", "h.pop(h.index(min(h)))"),)),
    Found("bisected", loop("print(bisect_left(n, x))"), {"n", "x"},
          ((IC, "bisected", "bisect_left(n, x)", "sum((1 for _one in n if _one < x))"),)),
    Found("bisected", loop("print(bisect.bisect_right(n, x))"), {"n", "x"},
          ((IC, "bisected", "bisect.bisect_right(n, x)", "sum((1 for _one in n if _one <= x))"),)),
    # flow
    Found("for_range", loop("print(i)", head="for i in range(1, n):"), {"i", "range(1, n)"},
          ((WA, "reverse_loop", "range(1, n)", "reversed(range(1, n))"),)),
    Found("for_over", loop("print(x)", head="for x in xs[1:]:"), {"xs[1:]"},
          ((WA, "reverse_loop", "in xs[1:]", "in reversed(list(xs[1:]))"),)),
    Found("while", loop("n -= 1", head="while n > 0:"), {"n > 0"}),
    Found("guard", LOWEST, {"not xs"},
          ((ME, "drop_guard", "    if not xs:\n        return 0\n", ""),)),
    Found("guard", "def f(xs):\n    if not xs:\n        return\n    g(xs)\n", {"not xs"},
          ((ME, "drop_guard", "    if not xs:\n        return\n", ""),)),
    Found("skip", loop("if x < 0:\n    continue\nprint(x)"), {"x < 0"},
          ((ME, "drop_guard", "        if x < 0:\n            continue\n", ""),)),
    Found("break", loop("if x < 0:\n    break\nprint(x)"), {"x < 0"}),
    Found("if", loop("if x < 0:\n    x += n\nprint(x)"), {"x < 0", "x += n"}),
    Found("if_else", loop("if x < 0:\n    n -= 1\nelse:\n    n = x"), {"x < 0", "n -= 1", "n = x"},
          ((WA, "swap_branches", "n -= 1\n        else:\n            n = x",
            "n = x\n        else:\n            n -= 1"),)),
    Found("step", loop("n[x] = x * 2"), {"n[x] = x * 2"}),
    Found("returned", loop("print(x)", end="return n + 1"), {"n + 1"}),
    Found("start", loop("print(k)", start="k = 5"), {"k"}),
]  # fmt: skip


NEAR_MISSES = [
    # state
    ("running_best", loop("best = max(best, x, n)", start="best = 0")),
    ("running_best", loop("best = max(best, best + x)", start="best = 0")),
    ("running_best", loop("best = max(best, 3)", start="best = 0")),
    ("running_best", loop("best = max(low, x)", start="best = low = 0")),
    ("running_best", loop("best = max(best, x, key=abs)", start="best = 0")),
    ("running_best", loop("if x != best:\n    best = x", start="best = 0")),
    ("running_best", loop("if x > best:\n    best = n", start="best = 0")),
    ("running_best", loop("if x > best:\n    best = x\nelse:\n    best = 0", start="best = 0")),
    ("running_best", "def f(a, b):\n    a = max(a, b)\n    return a + b\n"),  # in no loop
    ("running_sum", loop("total += x", start="total = n")),
    ("running_sum", loop("total += x")),
    ("running_sum", loop("total += 1", start="total = 0")),
    ("running_sum", loop("total -= x", start="total = 0")),
    ("running_sum", loop("total += x", start="total = ''")),
    ("running_sum", loop("total += x", start="total = False")),
    ("running_sum", loop("if x:\n    total += x", start="total = 0")),
    ("running_sum", loop("if x < 0:\n    continue\ntotal += x", start="total = 0")),
    ("running_sum", loop("total = 0\ntotal += x")),
    ("running_sum", "def f(x):\n    total = 0\n    total += x\n    return total\n"),
    ("running_count", loop("if x > n:\n    k += 1", start="k = 1")),
    ("running_count", loop("if x > n:\n    k += 2", start="k = 0")),
    ("running_count", loop("if n:\n    if x > n:\n        k += 1", start="k = 0")),
    ("running_count", loop("if x > n:\n    print(x)\nelse:\n    k += 1", start="k = 0")),
    ("running_count", loop("if x < 0:\n    continue\nif x > n:\n    k += 1", start="k = 0")),
    ("partial_sum", loop("if x > n:\n    k += x", start="k = n")),
    ("partial_sum", loop("if x > n:\n    print(x)\nelse:\n    k += x", start="k = 0")),
    ("all_seen", loop("seen.add(0)", start="seen = set()")),
    ("all_seen", loop("seen.add(x, n)", start="seen = Points()")),
    ("all_seen", loop("if x > 0:\n    seen.add(x)", start="seen = set()")),
    ("all_seen", loop("tree.add(x)", start="tree = Fenwick(n)")),
    ("latest_of", loop("at[x] = 1", start="at = {}")),
    ("latest_of", loop("at[x] = n + x", start="at = [0] * 9")),
    ("latest_of", loop("at[x] = at[n] + x", start="at = {}")),
    ("latest_of", loop("if x not in at:\n    at[x] = n", start="at = {}")),
    ("tally", loop("k[x] += 1", start="k = [0] * 9")),
    ("tally", loop("k[x] += 2", start="k = {}")),
    ("tally", loop("k[x] += 1")),
    ("gathered", loop("out.append(x)", start="out = deque()")),
    ("gathered", loop("out.insert(0, x)", start="out = []")),
    ("carried", loop("last = 7\nprint(last)", start="last = 0")),
    ("carried", loop("last = last + x", start="last = 0")),
    ("carried", loop("last = x")),
    ("carried", loop("if x:\n    last = x", start="last = 0")),
    ("carried", loop("if x:\n    continue\nlast = x", start="last = 0")),
    ("carried", loop("n = xs.pop()", head="while n:", start="n = 3")),
    ("carried", loop("at = x * 2\nif at > 9:\n    at -= 9\nprint(at)", start="at = 0")),
    ("undone", "def f(xs, x):\n    xs.append(x)\n    g(xs)\n    xs.pop()\n"),
    ("undone", "def f(xs, x):\n    f(xs, x - 1)\n    g()\n    xs.pop()\n"),
    # nothing was put in before the call: no choice is taken back
    ("undone", "def f(xs):\n    if xs:\n        f(xs[1:])\n        xs.pop()\n"),
    # method
    ("sorted", "def f(xs):\n    y = xs.sort()\n    return y\n"),
    ("sorted", "def f(xs, r):\n    xs.sort(reverse=r)\n    return xs[0]\n"),
    ("sorted", "def f(xs):\n    xs.sort(reverse=False)\n    return xs[0]\n"),
    ("sorted", "def f(xs):\n    return sort(xs)\n"),
    ("taken", loop("y = xs.pop()")),
    ("taken", loop("y = at.pop(x)", start="at = {}")),
    ("taken", loop("y = stack.pop()", start="stack = [1]")),  # nothing is put on it
    ("taken", loop("y = heappop(x.heap)")),
    # what was put in front is the newest
    ("taken", loop("if x:\n    line.appendleft(x)\ny = line.popleft()", start="line = deque()")),
    # it hands out its newest entry as well
    ("taken", loop("if line[0] < x:\n    line.popleft()\nwhile line:\n    line.pop()",
                   start="line = deque()")),
    # cost
    ("results_kept", "@cache\ndef f(n):\n    return n\n"),
    ("results_kept", "def f(n):\n    return f(n - 1)\n"),
    ("results_kept", "@lru_cache(maxsize=1)\ndef f(n):\n    return f(n - 1)\n"),  # it forgets
    ("results_kept", "@lru_cache\ndef f(n):\n    return f(n - 1)\n"),  # bare, it keeps 128
    ("looked_up", "def f(n, memo):\n    if n in memo:\n        return memo[n]\n    return n\n"),
    ("looked_up", "def f(n, m):\n    if n in m:\n        return k[n]\n    return f(n - 1)\n"),
    ("looked_up", "def f(n, m):\n    if n not in m:\n        return m[n]\n    return f(n - 1)\n"),
    # nothing is kept there, so cases that come up again are worked out
    ("looked_up", "def f(n, cost):\n    if n in cost:\n        return cost[n]\n"
                  "    return f(n - 1, cost) + f(n - 2, cost)\n"),
    ("set_lookup", loop("seen.add(x)", start="seen = set()")),  # never looked into
    ("set_lookup", loop("if x in seen:\n    print(x)", start="seen = []")),
    ("set_lookup", loop("if seen == x:\n    print(x)", start="seen = set()")),
    ("sorted_once", loop("print(x)", start="xs.sort()")),  # gone through while it is sorted
    ("sorted_once", loop("xs.sort()", head="for x in n:")),
    # it is sorted in each pass as well
    ("sorted_once", loop("xs.append(xs.pop() + xs.pop())\nxs.sort()", start="xs.sort()",
                         head="while xs[1:]:")),
    ("carried_on", loop("k += xs[i]", start="k = n", head="for i in range(n):")),
    ("carried_on", loop("k += xs[n]", start="k = 0", head="for i in range(n):")),
    ("set_lookup", loop("print(x)", start="seen = set()\nprint(n in seen)")),  # in no loop
    ("heap_top", "def f(h):\n    return heappop(h)\n"),
    # what is appended makes it no heap
    ("heap_top", loop("print(heappop(h))\nh.append(n)", head="while h:")),
    # a name of another function
    ("set_lookup", "def g():\n    seen = set()\n    return seen\n\n"
     + loop("if x in seen:\n    print(x)", start="seen = list(n)")),
    ("bisected", "def f(xs, x):\n    return bisect_left(xs, x)\n"),
    ("bisected", loop("print(bisect_left(n, x, 2))")),
    # flow
    ("guard", "def f(xs):\n    if not xs:\n        return 0\n    elif xs[0]:\n        return 1\n"),
    ("guard", loop("if x:\n    print(x)\n    if n:\n        return 0\n    print(n)")),
    ("guard", "def f(xs, n):\n    if n:\n        for x in xs:\n            if x > 3:\n"
              "                return 1\n    return 0\n"),
    ("skip", loop("if n:\n    print(n)\n    if x:\n        continue\n    print(x)")),
    ("break", loop("if n:\n    print(n)\n    if x:\n        break\n    print(x)")),
    ("if", loop("if n:\n    print(n)\n    if x:\n        n -= 1\n    print(x)")),
    ("if", loop("if n:\n    x = 2\n    n = 1")),
    ("if_else", loop("if n:\n    print(1)\nelif x:\n    print(2)\nelse:\n    print(3)")),
    ("if_else", loop("if x == 2:\n    print(x)\nelse:\n    break")),
    ("step", loop("if n:\n    n[x] = x")),
    ("step", loop("if n:\n    continue\nn[x] = x")),
    ("start", loop("k = 5")),
    ("start", "def f(n):\n    k = n\n    if n:\n        k = 5\n    return k + n\n"),
    # it starts at something else, and is set later
    ("start", "def f(n):\n    k = n\n    print(k)\n    k = 5\n    return k + n\n"),
    ("start", loop("print(x)", start="k = None\nj = True")),
    ("returned", loop("print(x)", end="return n")),
    ("returned", "def f(n):\n    if n:\n        return n + 1\n"),
]  # fmt: skip
