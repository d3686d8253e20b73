# ruff: noqa: E501 - short programs read better on one line
"""More hostile programs: against the line between "fails" and "is invalid", the tester, the kernel.

A row that the sandbox calls invalid costs a program nothing, so bringing that about is an attack
as good as a forged pass. The others try system calls one by one, and the data that a tester reads.
"""

from __future__ import annotations

from textwrap import dedent

from sandbox_attacks import PRELUDE, Attack

PROGRAMS: list[Attack] = []
FUNCTIONS: list[Attack] = []
_FAILS = frozenset({"wrong_answer", "runtime_error"})
_STOPPED = frozenset({"timeout"})
_ERROR = frozenset({"runtime_error"})
_LIMITED = frozenset({"wrong_answer", "runtime_error", "memory", "timeout"})


def _program(name: str, code: str, verdicts: frozenset[str] = _FAILS, cpu_s: float = 1.0) -> None:
    PROGRAMS.append(Attack(name, PRELUDE + dedent(code), verdicts, cpu_s))


def _function(
    name: str,
    code: str,
    verdicts: frozenset[str] = _FAILS,
    cpu_s: float = 1.0,
    tests: str = "",
) -> None:
    FUNCTIONS.append(Attack(name, dedent(code), verdicts, cpu_s, tests))


# ------------------------------------------------------------------ fail, but look invalid

_BURN = """
import hashlib, threading
def burn():
    while True: hashlib.pbkdf2_hmac("sha256", b"x", b"y", 300000)
"""
_program(
    "infra_by_threads_on_all_processors",
    _BURN + "for _ in range(3): threading.Thread(target=burn, daemon=True).start()\ntime.sleep(9)",
    _STOPPED,
    4.0,
)
_program(
    "infra_by_leaving_threads_behind",
    _BURN + "threading.Thread(target=burn).start()\nlibc.syscall(60, 0)",
    _STOPPED,
    0.5,
)
_program(
    "main_thread_leaves_a_sleeper",
    "import threading\nthreading.Thread(target=time.sleep, args=(20,)).start()\nlibc.syscall(60, 0)",
    _STOPPED,
    0.3,
)
_program(
    "infra_by_terminal_stop_signals",
    "for number in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU): os.kill(os.getpid(), number)",
    _LIMITED,
    0.3,
)
_program(
    "infra_by_lowered_limits",
    """
    import resource
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_STACK,
                 resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_NPROC):
        try: resource.setrlimit(kind, (0, 0))
        except (ValueError, OSError): pass
    print("OK", flush=True)
    """,
    _LIMITED,
)
for _status in (2, 3, 86, 87, 137, 255):
    _program(f"infra_by_exit_status_{_status}", f"os._exit({_status})", _ERROR | {"memory"})
_program(
    "infra_by_alarm",
    "signal.setitimer(signal.ITIMER_PROF, 0.01)\nwhile True: pass",
    _ERROR,
)
_program("infra_by_own_trap", "os.kill(os.getpid(), signal.SIGSYS)", _ERROR)
_program("infra_by_cpu_signal", "os.kill(os.getpid(), signal.SIGXCPU); time.sleep(0.1)", _ERROR)
_program(
    "infra_by_recursion",
    "sys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
    _LIMITED,
    4.0,
)
_program(
    "infra_by_big_stack",
    """
    import resource, threading
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sys.setrecursionlimit(10**9)
    def f(): f()
    f()
    """,
    _LIMITED,
    4.0,
)
_program("colliding_integers", "print({i * (2**61 - 1): 0 for i in range(60000)})", _STOPPED, 0.4)
_program("spin_in_system_calls", "while True: os.getppid()", _STOPPED, 0.3)
_program(
    "invalid_by_closed_streams",
    "sys.stdout = sys.stderr = None\nfor d in range(3): os.close(d)\nraise ValueError",
)
_program(
    "exception_with_hostile_text",
    """
    class E(Exception):
        def __str__(self): os._exit(0)
        __repr__ = __str__
    sys.excepthook = None
    raise E
    """,
)

# --------------------------------------------------------------------- forge at the very end

_program(
    "exit_from_finaliser_of_the_module",
    """
    class Last:
        def __del__(self): os.write(1, b"OK\\n"); os._exit(0)
    keep = Last()
    raise ValueError("never seen")
    """,
)
_program(
    "threads_that_write_at_the_end",
    """
    import threading
    def late():
        while True: os.write(1, b"OK\\n"); time.sleep(0.001)
    threading.Thread(target=late, daemon=True).start()
    time.sleep(0.02)
    """,
)
_program(
    "shared_mapping_of_own_output",
    """
    import mmap
    os.write(1, b"x" * 4096)
    view = mmap.mmap(1, 4096)
    view[:] = b"OK\\n" + b" " * 4093
    """,
)
_program(
    "flags_of_shared_descriptors",
    """
    import fcntl
    for descriptor in range(3):
        for flags in (os.O_APPEND | os.O_NONBLOCK, os.O_ASYNC, os.O_DIRECT):
            try: fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)
            except OSError: pass
        try: os.lseek(descriptor, 1 << 40, 0)
        except OSError: pass
    """,
)
_program(
    "flood_of_both_streams",
    """
    for _ in range(400):
        for descriptor in (1, 2):
            try: os.write(descriptor, b"OK\\n" * 30000)
            except OSError: pass
    """,
    _ERROR,
    4.0,
)
_program(
    "zygote_objects_in_memory",
    """
    import gc, array
    for value in gc.get_objects():
        if type(value).__name__ in ("Zygote", "socket", "Lockdown"):
            for name in ("_control", "_stage_write", "_stage_read", "_null", "ruleset"):
                target = getattr(value, name, None)
                number = target.fileno() if hasattr(target, "fileno") else target
                if isinstance(number, int) and number > 2:
                    try: os.write(number, b'C'); print("ATTACK-OK", name)
                    except OSError: pass
            try: value.send(b'{"stopped": ""}'); print("ATTACK-OK")
            except Exception: pass
    """,
)
_program(
    "return_into_the_zygotes_loop",
    """
    frame = sys._getframe()
    while frame.f_back: frame = frame.f_back
    zygote = frame.f_locals.get("zygote") or sys.modules["jail.zygote"].Zygote
    try: zygote.serve()
    except BaseException: pass
    """,
)
_program(
    "trace_function_in_the_sandbox_frames",
    """
    def tracer(frame, event, argument): return tracer
    frame = sys._getframe()
    while frame: frame.f_trace = tracer; frame = frame.f_back
    sys.settrace(tracer); sys.setprofile(lambda *a: None)
    import jail.child, jail.protocol
    jail.child._finish = lambda module: os.write(1, b"OK\\n")
    jail.protocol.EXIT_SETUP_FAILED = 0
    os._exit = lambda status: None
    """,
)

# ----------------------------------------------------------------------- paths and processes

_program(
    "paths_around_the_rules",
    """
    tail = "etc/passwd"
    for path in ("/proc/self/root/" + tail, "/proc/self/cwd/../../" + tail, "/proc/thread-self/root/" + tail,
                 os.path.dirname(os.__file__) + "/../../../../../../../../" + tail, "//" + tail, "/dev/fd/../../" + tail):
        try: print("ATTACK-OK", open(path).read()[:5])
        except OSError: pass
    for folder in ("/", os.path.dirname(os.__file__), "/usr/lib"):
        try: os.chdir(folder); print("ATTACK-OK", open("../" * 12 + tail).read()[:5])
        except OSError: pass
    how = struct.pack("QQQ", 0, 0, 0)
    handle = libc.syscall(437, -100, b"/etc/passwd", how, 24)
    if handle >= 0: print("ATTACK-OK", os.read(handle, 5))
    """,
)
_program(
    "own_memory_as_a_file",
    """
    for path in ("/proc/self/mem", "/proc/thread-self/mem", "/proc/self/map_files",
                 "/proc/self/pagemap", "/proc/self/syscall", "/proc/self/attr/current", "/proc/self/uid_map"):
        for flags in (os.O_RDONLY, os.O_RDWR):
            try: os.open(path, flags); print("ATTACK-OK", path)
            except OSError: pass
    """,
)
_program(
    "execute_a_memory_file",
    """
    os.write(1, b'#!/bin/sh\\necho ATTACK"-OK"\\n')
    for descriptor in (0, 1):
        libc.syscall(322, descriptor, b"", None, None, 0x1000)
    libc.fexecve(1, None, None)
    """,
)
_program(
    "signals_to_groups_and_neighbours",
    """
    for pid in (0, -1, -os.getpgrp(), -$VICTIM, -$GRADER, os.getpid() - 1, os.getpid() + 1, 1, 2):
        for number in (9, 15, 19):
            try: os.kill(pid, number)
            except OSError: pass
            libc.syscall(200, pid, number)
            libc.syscall(297, pid, pid, number, ctypes.create_string_buffer(128))
    """,
)
_program(
    "descriptor_over_a_socketpair",
    """
    a, b = socket.socketpair()
    try: a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", 0))]); print("ATTACK-OK")
    except OSError: pass
    try: socket.send_fds(a, [b"x"], [0]); print("ATTACK-OK")
    except OSError: pass
    """,
)
_program(
    "parts_of_the_process_to_share",
    """
    for flags in (0x11, 0x100, 0x400, 0x900, 0x8000 | 17, 0x10000 | 0x10000000, 0x10000 | 0x20000000, 0x80 | 0x10000):
        result = libc.syscall(56, flags, 0, 0, 0, 0)
        if result == 0: os._exit(0)
        if result > 0: print("ATTACK-OK", hex(flags), flush=True)
    """,
)
# Everything that Linux offers and a program has no use for. Left out: calls that do harm when a
# filter fails to stop them whatever their arguments (reboot, vhangup, fork).
_REFUSED = (
    *(
        29,
        30,
        31,
        40,
        41,
        42,
        43,
        46,
        47,
        49,
        50,
        64,
        65,
        66,
        67,
        68,
        69,
        70,
        71,
        73,
        76,
        77,
        82,
        83,
    ),
    *(
        84,
        85,
        86,
        87,
        88,
        90,
        91,
        92,
        93,
        94,
        101,
        103,
        112,
        113,
        116,
        117,
        119,
        122,
        123,
        125,
        126,
    ),
    *(
        129,
        132,
        133,
        134,
        135,
        137,
        138,
        139,
        141,
        142,
        144,
        149,
        151,
        154,
        155,
        156,
        158,
        159,
        160,
    ),
    *(
        161,
        162,
        163,
        164,
        165,
        166,
        167,
        168,
        170,
        171,
        172,
        173,
        175,
        176,
        179,
        187,
        188,
        189,
        190,
    ),
    *(
        191,
        194,
        197,
        200,
        203,
        206,
        207,
        209,
        216,
        221,
        222,
        227,
        237,
        238,
        240,
        241,
        246,
        248,
        249,
    ),
    *(
        250,
        251,
        253,
        254,
        256,
        258,
        259,
        260,
        261,
        263,
        264,
        265,
        266,
        268,
        272,
        275,
        276,
        277,
        278,
    ),
    *(
        279,
        280,
        282,
        283,
        285,
        288,
        289,
        294,
        296,
        297,
        298,
        299,
        300,
        301,
        303,
        304,
        305,
        306,
        307,
    ),
    *(
        308,
        310,
        311,
        312,
        313,
        314,
        316,
        317,
        319,
        320,
        321,
        322,
        323,
        324,
        325,
        326,
        329,
        330,
        424,
    ),
    *(
        425,
        426,
        427,
        428,
        429,
        430,
        431,
        432,
        433,
        434,
        437,
        438,
        440,
        442,
        443,
        444,
        445,
        446,
        447,
    ),
    *(448, 449, 450, 451, 452, 453, 454, 455, 456, 457, 458, 459, 460, 461, 462, 463),
)
_program(
    "every_other_call",
    f"""
    for number in {_REFUSED}:
        ctypes.set_errno(0)
        result = libc.syscall(number, -1, 0, 0, 0, 0, 0)
        if result != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            print("ATTACK-OK", number, result, ctypes.get_errno())
    """,
)
_program(
    "properties_of_the_process",
    """
    for option in range(1, 80):
        if option in (15, 16): continue
        ctypes.set_errno(0)
        result = libc.prctl(option, 1, 0, 0, 0)
        if result != -1 or ctypes.get_errno() != errno.EPERM: print("ATTACK-OK", option, result)
    """,
)
_program(
    "filter_with_a_listener",
    """
    program = struct.pack("HBBI", 6, 0, 0, 0x7FC00000)
    buffer = ctypes.create_string_buffer(program, 8)
    header = struct.pack("HxxxxxxP", 1, ctypes.addressof(buffer))
    for flags in (0, 1, 8, 16):
        if libc.syscall(317, 1, flags, header) >= 0: print("ATTACK-OK", flags)
    if libc.prctl(22, 2, header, 0, 0) == 0: print("ATTACK-OK")
    """,
)

# ========================================================================= function mode

_BACK = "assert solve(solve(0)) == '$EXPECTED'"
_function(
    "infra_by_returned_iterator",
    "def solve(x): return iter([1, 2])",
    tests=_BACK,
)
for _name, _value in (
    ("view", "{1: 2}.keys()"),
    ("method", "[].append"),
    ("class", "type('C', (), {})"),
    ("module", "__import__('sys')"),
    ("builtin_type", "type"),
    ("ellipsis", "..."),
    ("range", "range(2**70)"),
    ("huge_integer", "1 << 40000000"),
    ("memory_view", "memoryview(b'x')"),
    ("coroutine", "(lambda: (yield))()"),
):
    _function(
        f"infra_by_returned_{_name}", f"def solve(x): return {_value}", _LIMITED, 2.0, tests=_BACK
    )
_function(
    "infra_by_bound_method_passed_on",
    """
    class C:
        def method(self): return 1
    def solve(x): return C()
    """,
    tests="assert solve(solve(0).method) == '$EXPECTED'",
)
_function(
    "infra_by_import_error",
    "def solve(x): raise ImportError('the tests use numpy')",
    _ERROR,
)
_function(
    "infra_by_exceptions_named_like_ours",
    """
    class CodecError(Exception): pass
    class CandidateGoneError(BaseException): pass
    class InfraError(ImportError): pass
    def solve(x): raise (CodecError, CandidateGoneError, InfraError)[x]("gone")
    """,
    _ERROR,
)
_function(
    "death_taken_for_an_expected_exception",
    "import os\ndef solve(x): os._exit(0)",
    _ERROR,
    tests="""
try:
    solve(0)
    raised = False
except Exception:
    raised = True
assert raised
""",
)
_function(
    "nonsense_taken_for_an_expected_exception",
    "import os\ndef solve(x): os.write(49, b'\\xff' * 64)",
    _ERROR,
    tests="""
try:
    solve(0)
except Exception:
    pass
else:
    assert False
assert True
""",
)
_function(
    "infra_by_threads_on_all_processors",
    _BURN
    + "for _ in range(3): threading.Thread(target=burn, daemon=True).start()\n"
    + "import time\ndef solve(x): time.sleep(9)",
    _STOPPED,
    4.0,
)
_function(
    "exception_with_hostile_parts",
    """
    class Meta(type):
        __name__ = property(lambda cls: 1 / 0)
        def mro(cls): return [cls, *ValueError.__mro__]
    class E(ValueError, metaclass=Meta):
        def __str__(self): raise SystemExit(0)
        args = property(lambda self: 1 / 0)
    def solve(x): raise E(x)
    """,
)
_function(
    "exception_with_huge_text",
    "def solve(x): raise type('E' * (1 << 20), (ValueError,), {})('x' * (64 << 20))",
    _LIMITED,
)
_function(
    "exception_groups_and_decoding_errors",
    """
    def solve(x):
        raise (ExceptionGroup("a", [ValueError(1)]), UnicodeDecodeError("u", b"x", 0, 1, "y"),
               BaseExceptionGroup("b", [KeyboardInterrupt()]))[x]
    """,
    _ERROR,
)
_function(
    "not_a_number",
    "def solve(x): return float('nan')",
    frozenset({"wrong_answer"}),
    tests="assert solve(0) == 1.5\nassert abs(solve(1) - 1.5) < 1e-6",
)
_function(
    "signalling_decimal",
    "from decimal import Decimal\ndef solve(x): return Decimal(('sNaN', 'NaN', '1e999999')[x])",
)
_function(
    "generator_that_ends_the_process",
    "import os\ndef solve(x):\n    yield 1\n    os._exit(0)",
    _ERROR,
)
_function(
    "cyclic_and_shared_results",
    """
    def solve(x):
        a = []; a.append((a, {1: a}))
        b = ()
        for _ in range(80): b = (b, b)
        return (a, b, [b, a])[x]
    """,
    _LIMITED,
)
_function(
    "shared_tuples_as_keys",
    """
    def solve(x):
        b = ()
        for _ in range(60): b = (b, b)
        class Key(dict): pass
        import os, struct, json
        nodes = [["s", [1]]] + [["t", [i + 1], [i + 1]] for i in range(1, 60)] + [["t"]]
        body = json.dumps({"root": [0], "nodes": nodes, "changed": {}}).encode()
        os.write(49, struct.pack("<I", len(body)) + body)
    """,
    _LIMITED,
    0.4,
)
_function(
    "answers_before_the_questions",
    """
    import os, struct
    body = b'{"root":true,"nodes":[],"changed":{}}'
    for _ in range(200): os.write(49, struct.pack("<I", len(body)) + body)
    def solve(x): return True
    """,
    frozenset({"wrong_answer"}),
)
_function(
    "answers_from_a_thread",
    """
    import os, struct, threading, time
    body = b'{"root":"x","nodes":[],"changed":{}}'
    def flood():
        while True: os.write(49, struct.pack("<I", len(body)) + body)
    threading.Thread(target=flood, daemon=True).start()
    def solve(x): time.sleep(0.05); return True
    """,
)
_function(
    "questions_read_ahead",
    """
    import socket, os
    channel = socket.socket(fileno=os.dup(49))
    channel.setblocking(False)
    seen = b""
    def solve(x):
        global seen
        for flags in (socket.MSG_PEEK, 0):
            try: seen += channel.recv(1 << 16, flags)
            except OSError: pass
        return seen.decode("latin1")
    """,
)
_function(
    "answer_that_drips",
    """
    import os, struct, time
    def solve(x):
        os.write(49, struct.pack("<I", 32 << 20))
        while True: os.write(49, b" "); time.sleep(0.01)
    """,
    _STOPPED,
    0.3,
)
_function(
    "patched_sandbox_modules",
    """
    import sys, builtins
    for name, module in list(sys.modules.items()):
        if name.startswith("jail") or name in ("json", "struct", "os"):
            for key in list(vars(module)):
                if key in ("send", "answer", "reply", "_failure", "EXIT_CANDIDATE_GONE", "loads", "dumps", "unpack"):
                    setattr(module, key, lambda *a, **k: {"root": True, "nodes": [], "changed": {}})
    def solve(x): return True
    """,
)
_function(
    "names_that_are_no_functions",
    """
    class Meta(type):
        def __call__(cls, *a): return True
        def __eq__(cls, other): return True
        def __getattr__(cls, name): return True
        __hash__ = None
    class solve(metaclass=Meta): pass
    __builtins__ = {"eval": lambda *a: (lambda *b: True), "callable": lambda x: True}
    """,
)
_function(
    "deleted_after_loading",
    "import sys\nsys.modules['__main__'].__dict__.clear()",
    _ERROR,
)
for _index, _changed in enumerate(
    (
        '{"-1":["d"]}',
        '{"1_0":["l"]}',
        '{"0":["t",1]}',
        '{"1":["l","$EXPECTED"]}',
        '{"2":["d","__eq__",1]}',
        "[1]",
        "null",
    )
):
    _body = f'{{"root":"z","nodes":[],"changed":{_changed}}}'
    _function(
        f"hostile_change_{_index}",
        f"""
        import os, struct
        body = {_body.encode()!r}
        def solve(x):
            os.write(49, struct.pack("<I", len(body)) + body)
        """,
    )
for _index, _reply in enumerate(
    (
        '{"error":"AssertionError","builtin":"object","text":""}',
        '{"error":"X","builtin":"__build_class__","text":"x"}',
        '{"error":{"a":1},"builtin":["ImportError"],"text":{}}',
        '{"error":"","builtin":"StopIteration","text":""}',
        '{"error":"ImportError","builtin":"ImportError","text":"numpy"}',
        '{"error":"a b","builtin":"SystemExit","text":""}',
        '{"root":{"a":1},"nodes":{},"changed":{}}',
        '{"root":[[0]],"nodes":[["l"]],"changed":{}}',
        '{"root":1e999,"nodes":[],"changed":{}}',
    )
):
    _function(
        f"hostile_reply_{_index}",
        f"""
        import os, struct
        body = {_reply.encode()!r}
        def solve(x):
            os.write(49, struct.pack("<I", len(body)) + body)
        """,
    )
