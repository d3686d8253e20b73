# ruff: noqa: E501 - short programs read better on one line
"""Legitimate programs that the sandbox must not break."""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple


class Benign(NamedTuple):
    """A program, its input and what it prints."""

    name: str
    code: str
    stdin: str
    expected: str


PROGRAMS: list[Benign] = []


def _add(name: str, code: str, expected: str, stdin: str = "") -> None:
    PROGRAMS.append(Benign(name, dedent(code), stdin, expected))


_add("input", "print(int(input()) * 2)", "42", "21\n")
_add(
    "sys_stdin_read",
    "import sys; d = sys.stdin.read().split(); print(len(d), d[-1])",
    "3 c",
    "a b\nc\n",
)
_add(
    "stdin_buffer",
    "import sys; print(sum(map(int, sys.stdin.buffer.read().split())))",
    str(sum(range(100000))),
    " ".join(map(str, range(100000))),
)
_add(
    "stdin_readline",
    "import sys; input = sys.stdin.readline; print(int(input()) + int(input()))",
    "3",
    "1\n2\n",
)
_add("open_zero", "print(open(0).read().strip()[::-1])", "cba", "abc\n")
_add("os_read", "import os; print(os.read(0, 100).decode().strip())", "xyz", "xyz")
_add("dev_stdin", 'print(open("/dev/stdin").read().strip())', "q", "q\n")
_add(
    "dev_stdin_pathlib",
    'import pathlib; print(pathlib.Path("/dev/stdin").read_text().strip())',
    "q",
    "q\n",
)
_add("dev_stdout", 'f = open("/dev/stdout", "w"); f.write("q"); f.close()', "q")
_add(
    "input_until_eof",
    "n = 0\ntry:\n  while True: input(); n += 1\nexcept EOFError: print(n)",
    "3",
    "a\nb\nc",
)
_add(
    "fileinput",
    "import fileinput; print(sum(int(line) for line in fileinput.input()))",
    "3",
    "1\n2\n",
)
_add("exit_after_output", 'import sys; print("ok"); sys.exit()', "ok")
_add("exit_builtin", 'print("ok"); exit(0)', "ok")
_add("quit_builtin", 'print("ok"); quit()', "ok")
_add("os_exit_flushed", 'import os; print("ok", flush=True); os._exit(0)', "ok")
_add("main_guard", 'def main(): print("ok")\nif __name__ == "__main__": main()', "ok")
_add(
    "recursion_in_thread",
    """
    import sys, threading
    sys.setrecursionlimit(10**6); threading.stack_size(1 << 26)
    def f(n): return 0 if n == 0 else 1 + f(n - 1)
    t = threading.Thread(target=lambda: print(f(50000))); t.start(); t.join()
    """,
    "50000",
)
_add(
    "thread_stack_256_mib",
    """
    import sys, threading
    threading.stack_size(1 << 28)
    t = threading.Thread(target=lambda: print("ok")); t.start(); t.join()
    """,
    "ok",
)
_add(
    "thread_not_joined",
    'import threading, time; threading.Thread(target=lambda: (time.sleep(.02), print("late"))).start()',
    "late",
)
_add(
    "deep_recursion",
    "import sys; sys.setrecursionlimit(300000)\ndef f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(100000))",
    "100000",
)
_add(
    "stack_limit_raised",
    "import resource; resource.setrlimit(resource.RLIMIT_STACK, (-1, -1)) if resource.getrlimit(resource.RLIMIT_STACK)[1] == -1 else 0; print('ok')",
    "ok",
)
_add("big_output", 'print("\\n".join(map(str, range(200000))))', "\n".join(map(str, range(200000))))
_add("memory_300_mib", "x = bytearray(300 << 20); print(len(x))", str(300 << 20))
_add("unicode_output", 'print("héllo ✓ 你好")', "héllo ✓ 你好")
_add("unicode_input", "print(input()[::-1])", "好你", "你好\n")
_add("coding_cookie", '# -*- coding: utf-8 -*-\nprint("é")', "é")
_add(
    "hot_modules",
    """
    from collections import *; from heapq import *; from bisect import *; from itertools import *; from functools import *
    print(Counter("aab").most_common(1), list(permutations([1, 2]))[1], nsmallest(1, [3, 2]))
    """,
    "[('a', 2)] (2, 1) [2]",
)
_add(
    "decimal_fraction",
    "from decimal import *; from fractions import Fraction\ngetcontext().prec = 30\nprint(Decimal(1) / 7, Fraction(1, 3) + 1)",
    "0.142857142857142857142857142857 4/3",
)
_add("random_seeded", "import random; random.seed(1); print(random.randint(1, 10**9))", "144272510")
_add(
    "random_unseeded",
    "import random; print(0 <= random.random() < 1, len({random.random() for _ in range(9)}))",
    "True 9",
)
_add(
    "time_and_dates",
    "import time, datetime; t = time.time(); time.sleep(.01); print(time.time() > t, datetime.date(2020, 1, 31) + datetime.timedelta(1))",
    "True 2020-02-01",
)
_add(
    "asyncio",
    "import asyncio\nasync def f():\n  await asyncio.sleep(.001)\n  return 5\nprint(asyncio.run(f()))",
    "5",
)
_add(
    "thread_pool",
    "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as e: print(sum(e.map(lambda x: x * x, range(10))))",
    "285",
)
_add(
    "queue_and_thread",
    "import queue, threading; q = queue.Queue(); t = threading.Thread(target=lambda: q.put(3)); t.start(); print(q.get()); t.join()",
    "3",
)
_add(
    "atexit_output", 'import atexit; atexit.register(lambda: print("bye")); print("hi")', "hi\nbye"
)
_add("unclosed_file_over_stdout", 'out = open(1, "w", closefd=False); out.write("ok\\n")', "ok")
_add(
    "replaced_stdout",
    'import sys, io, os\nclass W(io.StringIO):\n  def flush(self): os.write(1, self.getvalue().encode()); self.truncate(0); self.seek(0)\nsys.stdout = W(); print("ok")',
    "ok",
)
_add(
    "json_and_regex",
    'import re, json; print(json.dumps(re.findall(r"\\d+", "a1b22")))',
    '["1", "22"]',
)
_add(
    "dataclass",
    "from dataclasses import dataclass\nfrom typing import List, Optional\n@dataclass\nclass P:\n  x: int\nprint(P(3))",
    "P(x=3)",
)
_add("enum", "import enum\nclass E(enum.Enum):\n  A = 1\nprint(E.A.name)", "A")
_add(
    "future_annotations",
    "from __future__ import annotations\ndef f(x: Undefined) -> Nothing: return 1\nprint(f(0))",
    "1",
)
_add("annotations_evaluated", "x: print('seen') = 1", "seen")
_add("devnull", 'import os; open(os.devnull, "w").write("x"); print("ok")', "ok")
_add(
    "redirected_stdout",
    'import io, contextlib; s = io.StringIO()\nwith contextlib.redirect_stdout(s): print("x")\nprint(repr(s.getvalue()))',
    "'x\\n'",
)
_add(
    "alarm",
    'import signal; signal.signal(signal.SIGALRM, lambda *a: print("alarm")); signal.setitimer(signal.ITIMER_REAL, .01); signal.pause()',
    "alarm",
)
_add(
    "signal_to_self",
    "import os, signal; signal.signal(signal.SIGUSR1, lambda *a: print('got')); os.kill(os.getpid(), signal.SIGUSR1)",
    "got",
)
_add(
    "pickle_of_main_class",
    "import pickle\nclass A:\n  def __init__(self): self.x = 1\nprint(pickle.loads(pickle.dumps(A())).x)",
    "1",
)
_add(
    "cached_recursion",
    "from functools import lru_cache\nimport sys; sys.setrecursionlimit(10**5)\n@lru_cache(None)\ndef f(n): return n if n < 2 else f(n - 1) + f(n - 2)\nprint(f(5000) % 10**9)",
    "382863125",
)
_add(
    "big_integer_text",
    "import sys; sys.set_int_max_str_digits(0); print(len(str(3**20000)))",
    "9543",
)
_add(
    "urandom_uuid_secrets",
    "import os, uuid, secrets; print(len(os.urandom(8)), len(str(uuid.uuid4())), len(secrets.token_hex(4)))",
    "8 36 8",
)
_add("exec_and_eval", 'exec("a = 3"); print(a, eval("a + 1"))', "3 4")
_add("noise_on_stderr", 'import sys; print("warn", file=sys.stderr); print("ok")', "ok")
_add("calendar_locale", "import locale, calendar; print(calendar.monthrange(2024, 2)[1])", "29")
_add(
    "hashlib_zlib",
    'import hashlib, zlib; print(hashlib.sha256(b"x").hexdigest()[:8], zlib.crc32(b"x"))',
    "2d711642 2363233923",
)
_add(
    "rare_stdlib",
    "import statistics, textwrap, difflib, cmath, numbers, colorsys, csv, html, ast, inspect, sqlite3; print('ok')",
    "ok",
)
_add(
    "sqlite_in_memory",
    'import sqlite3; print(sqlite3.connect(":memory:").execute("select 1 + 1").fetchone()[0])',
    "2",
)
_add("pipe", 'import os; r, w = os.pipe(); os.write(w, b"x"); print(os.read(r, 1).decode())', "x")
_add(
    "socketpair",
    'import socket; a, b = socket.socketpair(); a.sendall(b"x"); print(b.recv(1).decode())',
    "x",
)
_add(
    "select_and_selectors",
    "import selectors, os; r, w = os.pipe(); s = selectors.DefaultSelector(); s.register(r, 1); os.write(w, b'x'); print(len(s.select(1)))",
    "1",
)
_add(
    "environment_and_cwd",
    "import os; print(os.environ.get('HOME', 'none') and 'ok', bool(os.getcwd()))",
    "ok True",
)
_add("file_not_found", 'try: open("/nonexistent/x")\nexcept OSError: print("ok")', "ok")
_add(
    "gc_and_weakref",
    "import gc, weakref\nclass A: pass\na = A(); r = weakref.ref(a); del a; gc.collect(); print(r())",
    "None",
)
_add("sys_argv", "import sys; print(len(sys.argv))", "1")
_add(
    "traceback_module",
    "import traceback\ntry: 1 / 0\nexcept ZeroDivisionError: print(traceback.format_exc().splitlines()[-1])",
    "ZeroDivisionError: division by zero",
)
