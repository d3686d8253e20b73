"""Programs that facts of variables are true of, and near misses that they are false of."""

from __future__ import annotations

# Programs of which the form is true; each is run and watched.
TRUE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "sum": ("running_sum", """
def f(xs):
    total = 0
    for x in xs:
        total += x * x
    return total
""", ("f([3, -1, 2])", "f([])")),
    "sum_in_while": ("running_sum", """
def f(n):
    total = 0
    while n > 0:
        digit = n % 10
        total += digit
        n //= 10
    return total
""", ("f(3074)",)),
    "largest": ("running_best", """
def f(xs):
    best = float('-inf')
    for x in xs:
        best = max(best, x)
    return best
""", ("f([-3, -1, -2])",)),
    "smallest_by_if": ("running_best", """
def f(xs):
    low = float('inf')
    for x in xs:
        if x < low:
            low = x
    return low
""", ("f([4, 2, 9])", "f([-4, 2, -9])")),
    "count": ("running_count", """
def f(xs):
    odd = 0
    for x in xs:
        if x % 2 == 1:
            odd += 1
    return odd
""", ("f([1, 2, 3, 5])",)),
    "partial": ("partial_sum", """
def f(xs):
    kept = 0
    for x in xs:
        if x > 2:
            kept += x
    return kept
""", ("f([1, 2, 3, 5])",)),
    "seen": ("all_seen", """
def f(xs):
    seen = set()
    for x in xs:
        if x in seen:
            print(x)
        seen.add(x)
""", ("f([1, 2, 1])",)),
    "latest": ("latest_of", """
def f(xs):
    place = {}
    for i, x in enumerate(xs):
        place[x] = i
    return place
""", ("f('abca')",)),
    "tally": ("tally", """
from collections import defaultdict
def f(xs):
    count = defaultdict(int)
    for x in xs:
        count[x] += 1
    return count
""", ("f('abca')",)),
    "gathered": ("gathered", """
def f(xs):
    out = []
    for x in xs:
        out.append(x * 2)
    return out
""", ("f([3, 1, 2])",)),
}  # fmt: skip

# Near misses: something of the form's shape, of which its sentence is not true.
FALSE: dict[str, tuple[str, tuple[str, ...]]] = {
    "sum_set_back": ("""
def f(xs):
    run = 0
    for x in xs:
        run += x
        if run < 0:
            run = 0
    return run
""", ("f([3, -5, 2])",)),
    "sum_of_a_window": ("""
def f(xs, k):
    window = 0
    for i in range(len(xs)):
        window += xs[i]
        if i >= k:
            window -= xs[i - k]
    return window
""", ("f([3, 5, 2, 4], 2)",)),
    "sum_goes_on_from_another_loop": ("""
def f(xs, ys):
    total = 0
    for x in xs:
        total += x
    for y in ys:
        total += y
    return total
""", ("f([3], [5, 2])",)),
    "sum_behind_a_continue": ("""
def f(xs):
    total = 0
    for x in xs:
        if x < 0:
            continue
        total += x
    return total
""", ("f([3, -5, 2])",)),
    "sum_capped": ("""
def f(xs):
    total = 0
    for x in xs:
        total += x
        total = min(total, 10)
    return total
""", ("f([8, 5, -2])",)),
    "sum_starts_at_zero_elsewhere": ("""
total = 7
def other():
    total = 0
    return total
def f(xs):
    global total
    for x in xs:
        total += x
    return total
for y in [1, 2]:
    total += y
""", ("f([])",)),
    "sum_starts_at_something_in_a_case": ("""
def f(xs, bonus):
    total = 0
    if bonus:
        total = 5
    for x in xs:
        total += x
    return total
""", ("f([1], True)",)),
    "best_starts_at_zero": ("""
def f(xs):
    best = 0
    for x in xs:
        best = max(best, x)
    return best
""", ("f([-3, -5])",)),
    "smallest_starts_at_zero": ("""
def f(xs):
    total = low = 0
    low = 0
    for x in xs:
        total += x
        low = min(low, total)
    return low
""", ("f([3, 5])",)),
    "best_is_an_argument": ("""
def f(xs, best):
    for x in xs:
        if x > best:
            best = x
    return best
""", ("f([3, 5], 9)",)),
    "best_starts_in_a_tuple": ("""
def f(xs):
    low, high = 4, 4
    for x in xs:
        high = max(high, x)
        low = min(low, x)
    return low, high
""", ("f([1, 2])",)),
    "best_starts_as_info": ("""
def f(info):
    best = info[0]
    for x in info[1:]:
        best = max(best, x)
    return best
""", ("f([9, 1, 2])",)),
    "best_of_some": ("""
def f(xs):
    best = float('-inf')
    for x in xs:
        if x % 2 == 0:
            best = max(best, x)
    return best
""", ("f([2, 9])",)),
    "best_behind_a_continue": ("""
def f(xs):
    best = float('inf')
    for x in xs:
        if x == 0:
            continue
        best = min(best, x)
    return best
""", ("f([4, 0, 2])",)),
    "best_of_two_things": ("""
def f(pairs):
    best = float('-inf')
    for a, b in pairs:
        best = max(best, a)
        best = max(best, b)
    return best
""", ("f([(1, 5), (2, 3)])",)),
    "best_set_back": ("""
def f(xs):
    best = float('-inf')
    for x in xs:
        best = max(best, x)
        if x == 0:
            best = float('-inf')
    return best
""", ("f([4, 0, 2])",)),
    "best_in_an_elif": ("""
def f(xs):
    zeros, best = 0, 0
    best = float('inf')
    for x in xs:
        if x == 0:
            zeros += 1
        elif x < best:
            best = x
    return zeros, best
""", ("f([4, 0, 2])",)),
    "count_goes_down_too": ("""
def f(text):
    depth = 0
    for mark in text:
        if mark == '(':
            depth += 1
        elif mark == ')':
            depth -= 1
    return depth
""", ("f('()(')",)),
    "count_set_back": ("""
def f(xs):
    run = 0
    for x in xs:
        if x:
            run += 1
        else:
            run = 0
    return run
""", ("f([1, 0, 1])",)),
    "count_of_two_things": ("""
def f(xs):
    odd = 0
    for x in xs:
        if x > 9:
            odd += 1
        if x < 0:
            odd += 1
    return odd
""", ("f([10, -1])",)),
    "count_behind_a_continue": ("""
def f(xs):
    even = 0
    for x in xs:
        if x < 0:
            continue
        if x % 2 == 0:
            even += 1
    return even
""", ("f([-2, 4])",)),
    "partial_sum_of_two_cases": ("""
def f(xs):
    points = 0
    for x in xs:
        if x > 5:
            points += x
        elif x > 0:
            points += 1
    return points
""", ("f([7, 2])",)),
    "seen_forgets": ("""
def f(xs):
    seen = set()
    for i, x in enumerate(xs):
        seen.add(x)
        if i >= 2:
            seen.discard(xs[i - 2])
    return seen
""", ("f('abcd')",)),
    "seen_some": ("""
def f(xs):
    seen = set()
    for x in xs:
        if x > 0:
            seen.add(x)
    return seen
""", ("f([1, -1])",)),
    "seen_anew": ("""
def f(xs):
    seen = set()
    for x in xs:
        if x in seen:
            seen = set()
        seen.add(x)
    return seen
""", ("f([1, 2, 1])",)),
    "first_not_latest": ("""
def f(xs):
    first = {}
    for i, x in enumerate(xs):
        if x not in first:
            first[x] = i
    return first
""", ("f('abca')",)),
    "latest_of_some": ("""
def f(xs):
    place = {}
    for i, x in enumerate(xs):
        if i % 2 == 0:
            place[x] = i
    return place
""", ("f('aabb')",)),
    "latest_taken_away": ("""
def f(xs):
    place = {}
    for i, x in enumerate(xs):
        place[x] = i
        if len(place) > 2:
            place.pop(x)
    return place
""", ("f('abcd')",)),
    "latest_written_twice": ("""
def f(pairs):
    other = {}
    for a, b in pairs:
        other[a] = b
        other[b] = a
    return other
""", ("f([(1, 2), (2, 1), (1, 1)])", "f([(1, 2), (3, 1)])")),
    "tally_goes_down_too": ("""
from collections import defaultdict
def f(xs):
    count = defaultdict(int)
    for i, x in enumerate(xs):
        count[x] += 1
        if i >= 2:
            count[xs[i - 2]] -= 1
    return count
""", ("f('aaa')",)),
    "tally_of_some": ("""
from collections import defaultdict
def f(xs):
    count = defaultdict(int)
    for x in xs:
        if x > 0:
            count[x] += 1
    return count
""", ("f([1, -1])",)),
    "tally_starts_full": ("""
from collections import Counter
def f(xs, ys):
    count = Counter(ys)
    for x in xs:
        count[x] += 1
    return count
""", ("f('ab', 'aa')",)),
    "gathered_behind_something": ("""
def f(xs):
    prefix = [0]
    for x in xs:
        prefix.append(prefix[-1] + x)
    return prefix
""", ("f([3, 1])",)),
    "gathered_and_taken_back": ("""
def f(xs):
    stack = []
    for x in xs:
        while stack and stack[-1] <= x:
            stack.pop()
        stack.append(x)
    return stack
""", ("f([1, 3, 2])",)),
    "gathered_of_two_things": ("""
def f(pairs):
    events = []
    for a, b in pairs:
        events.append((a, 1))
        events.append((b, -1))
    return events
""", ("f([(1, 4), (2, 3)])",)),
}  # fmt: skip
