# ruff: noqa: E501 - short programs read better on one line
"""Programs that try to cheat or to do harm, each with the verdicts that mean it failed.

Every program is bounded in count, size and time, so that it does no damage where it succeeds.
`$NAME` is filled in from the world that `sandbox_world` sets up. A program that manages what it
must not prints ATTACK-OK, or leaves a trace that the world notices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent

PRELUDE = (
    "import sys, os, time, ctypes, socket, struct, signal, errno\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
)
_FAILS = frozenset({"wrong_answer", "runtime_error"})
_STOPPED = frozenset({"timeout"})
_LIMITED = frozenset({"wrong_answer", "runtime_error", "memory", "timeout"})


@dataclass(frozen=True)
class Attack:
    """One hostile program.

    Attributes:
        name: Its name in test ids.
        code: The program.
        verdicts: Verdicts that are right for it.
        cpu_s: CPU limit to run it under.
        tests: For functions: asserts of its own; `$EXPECTED` is what the program cannot know.
    """

    name: str
    code: str
    verdicts: frozenset[str] = field(default=_FAILS)
    cpu_s: float = 1.0
    tests: str = ""


PROGRAMS: list[Attack] = []
FUNCTIONS: list[Attack] = []


def _program(name: str, code: str, verdicts: frozenset[str] = _FAILS, cpu_s: float = 1.0) -> None:
    PROGRAMS.append(Attack(name, PRELUDE + dedent(code), verdicts, cpu_s))


def _function(name: str, code: str, verdicts: frozenset[str] = _FAILS, cpu_s: float = 1.0) -> None:
    FUNCTIONS.append(Attack(name, dedent(code), verdicts, cpu_s))


# ------------------------------------------------------------------------- forge a pass

_program("exit_zero_silently", "sys.exit(0)")
_program("hard_exit_zero", "os._exit(0)")
_program(
    "verdict_words",
    r"""
    print("PASS\npassed\n{\"passed\": true, \"verdict\": \"pass\"}\n[True]\nALL TESTS PASSED")
    """,
)
_program("prefix_of_output", 'print("OK")')
_program(
    "suffix_after_right_prefix",
    'print("OK"); print("EXPTOK" + "0" * 32); print("EXPTOK" + "f" * 32)',
)
_program(
    "oracle_beside_the_grader",
    """
    import json
    for pid in {os.getppid(), $GRADER}:
        for path in (f"/proc/{pid}/cwd/oracle.jsonl", "$WORLD/oracle.jsonl"):
            try:
                print("OK"); print(json.load(open(path))["expected"]); sys.exit(0)
            except OSError:
                pass
    """,
)
_program(
    "memory_of_the_grader",
    """
    import re
    for pid in {os.getppid(), $GRADER, 1}:
        try:
            regions = [line.split() for line in open(f"/proc/{pid}/maps")]
            memory = open(f"/proc/{pid}/mem", "rb", 0)
        except OSError:
            continue
        for address, rights, *_ in regions:
            low, high = (int(x, 16) for x in address.split("-"))
            if "rw" not in rights or high - low > 1 << 26:
                continue
            memory.seek(low)
            found = re.search(rb"EXPTOK[0-9a-f]{32}", memory.read(high - low))
            if found:
                print("OK"); print(found[0].decode()); sys.exit(0)
    """,
)
_program(
    "process_vm_readv",
    """
    buffer = ctypes.create_string_buffer(64)
    class Iov(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    for pid in {os.getppid(), $GRADER, $VICTIM}:
        local, remote = Iov(ctypes.addressof(buffer), 64), Iov(id(None), 64)
        if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) > 0:
            print("ATTACK-OK")
    """,
)
_program(
    "ptrace_attach",
    """
    for pid in {os.getppid(), $VICTIM}:
        if libc.ptrace(16, pid, 0, 0) == 0:
            print("ATTACK-OK"); time.sleep(0.05); libc.ptrace(17, pid, 0, 0)
    """,
)
_program(
    "frames_and_gc",
    r"""
    import gc, re
    pattern = re.compile("EXP" "TOK[0-9a-f]{32}")
    def look(value, depth=0):
        if isinstance(value, (str, bytes)):
            found = pattern.search(value if isinstance(value, str) else value.decode("latin1"))
            return found and found[0]
        if depth < 4 and isinstance(value, dict):
            value = list(value.values())
        if depth < 4 and isinstance(value, (list, tuple)):
            return next(filter(None, (look(v, depth + 1) for v in value[:3000])), None)
    frame, found = sys._getframe(), None
    while frame and not found:
        found, frame = look(dict(frame.f_locals)), frame.f_back
    for value in gc.get_objects():
        found = found or look(value, 3)
    print("OK"); print(found)
    """,
)
_program(
    "forged_frames_to_every_descriptor",
    """
    done = b'{"judged_status": 0, "tester_status": 0, "stage": "run", "stopped": "", "cpu_s": 0, '
    done += b'"wall_s": 0, "peak_kib": 0, "outcome": "pass"}'
    for descriptor in range(3, 256):
        for message in (b"PASS", b"passed", b"C", b"S", done):
            try: os.write(descriptor, message)
            except OSError: pass
    """,
)
_program(
    "compile_error_channel",
    """
    for descriptor in range(40, 64):
        try: os.close(descriptor)
        except OSError: pass
    os._exit(0)
    """,
)
_program(
    "rewind_own_output",
    """
    print("x" * 4096, flush=True)
    os.lseek(1, 0, 0); os.write(1, b"OK")
    """,
)
_program(
    "descriptors_of_the_grader",
    """
    for pid in {os.getppid(), $GRADER}:
        for number in range(64):
            try: print("ATTACK-OK", os.readlink(f"/proc/{pid}/fd/{number}"))
            except OSError: pass
    """,
)
_program(
    "pidfd_getfd",
    """
    for pid in {os.getppid(), $GRADER}:
        handle = libc.syscall(434, pid, 0)
        if handle >= 0 and libc.syscall(438, handle, 0, 0) >= 0: print("ATTACK-OK")
    """,
)
_program("infra_by_own_sigkill", "os.kill(os.getpid(), 9); time.sleep(0.1)")
_program(
    "infra_by_own_sigkill_in_thread",
    "import threading; signal.pthread_kill(threading.main_thread().ident, 9); time.sleep(0.1)",
)
_program(
    "infra_by_own_cpu_limit",
    """
    import resource
    try: resource.setrlimit(resource.RLIMIT_CPU, (0, 0))
    except (ValueError, OSError): sys.exit(1)
    while True: pass
    """,
)
_program("infra_by_seccomp_kill", "libc.syscall(0x40000000 + 39); print(os.getpid())")
_program("infra_by_stop_signal", "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(0.1)")
_program("infra_by_group_signal", "os.killpg(0, 9); time.sleep(0.1)")
_program("timer_signal_nine", "libc.syscall(222, 0, 0, 0) == 0 and print('ATTACK-OK')")

# --------------------------------------------------------------------------------- leak

_program("read_secret_file", 'print(open("$WORLD/secret.txt").read())')
_program(
    "read_secret_by_descriptor_of_folder",
    """
    folder = os.open("$WORLD", os.O_PATH)
    print(os.read(os.open("secret.txt", os.O_RDONLY, dir_fd=folder), 100))
    """,
)
_program("own_environment", "print(dict(os.environ), os.environb)")
_program(
    "environments_of_others",
    """
    for pid in {os.getppid(), $GRADER, $VICTIM, 1}:
        try: print(open(f"/proc/{pid}/environ", "rb").read())
        except OSError: pass
    """,
)
_program(
    "process_list",
    """
    for name in [*os.listdir("/proc")]:
        if name.isdigit():
            print("ATTACK-OK", open(f"/proc/{name}/cmdline").read())
    """,
)
_program(
    "command_lines_by_guess",
    """
    for pid in {os.getppid(), $GRADER, $VICTIM}:
        try: print("ATTACK-OK", open(f"/proc/{pid}/cmdline").read())
        except OSError: pass
    """,
)
_program(
    "inherited_descriptors",
    """
    for descriptor in range(3, 256):
        try: os.fstat(descriptor); print("ATTACK-OK", descriptor)
        except OSError: pass
    """,
)
_program("etc_passwd", 'print("ATTACK-OK" if "root:" in open("/etc/passwd").read() else "")')
_program("pwd_module", "import pwd; print('ATTACK-OK', pwd.getpwuid(0))")
_program("root_listing", 'print("ATTACK-OK" if len(os.listdir("/")) > 12 else "")')
_program("home_listing", 'print("ATTACK-OK", os.listdir(os.path.expanduser("$HOME")))')
_program(
    "installed_packages",
    """
    import glob
    for folder in (sys.prefix, sys.base_prefix, "/usr", "/usr/local"):
        for path in glob.glob(f"{folder}/lib/python3*/*-packages/**/*.py", recursive=True)[:50]:
            try: open(path).read(); print("ATTACK-OK", path)
            except OSError: pass
    """,
)
_program("toolkit_source", 'print("ATTACK-OK", open("$PACKAGE/errors.py").read()[:20])')
_program(
    "device_nodes",
    """
    import glob
    names = ["/dev/vda", "/dev/sda", "/dev/kvm", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/tty"]
    for path in names + ["/dev/ptmx", "/dev/loop-control"] + glob.glob("/dev/nvidia*"):
        try: os.open(path, os.O_RDONLY); print("ATTACK-OK", path)
        except OSError: pass
    """,
)
_program(
    "proc_self",
    """
    for name in ("maps", "mounts", "status", "cgroup"):
        try: print("ATTACK-OK", open(f"/proc/self/{name}").read()[:20])
        except OSError: pass
    """,
)

# ------------------------------------------------------------------------------- tamper

_program("overwrite_file", 'open("$WORLD/victim.txt", "w").write("x")')
_program("append_file", 'open("$WORLD/victim.txt", "a").write("x")')
_program(
    "delete_files",
    """
    import shutil
    shutil.rmtree("$WORLD/folder", ignore_errors=True)
    os.unlink("$WORLD/victim.txt")
    """,
)
_program(
    "chmod_and_times",
    """
    for call in (lambda: os.chmod("$WORLD/victim.txt", 0), lambda: os.utime("$WORLD/victim.txt", (1, 1)),
                 lambda: os.chown("$WORLD/victim.txt", 1, 1), lambda: os.setxattr("$WORLD/victim.txt", "user.x", b"x")):
        try: call()
        except OSError: pass
    """,
)
_program(
    "rename_truncate_link",
    """
    for call in (lambda: os.rename("$WORLD/victim.txt", "$WORLD/moved"), lambda: os.truncate("$WORLD/victim.txt", 0),
                 lambda: os.link("$WORLD/victim.txt", "/tmp/$MARK-link"), lambda: os.symlink("/", "$WORLD/sym"),
                 lambda: os.mkdir("$WORLD/new"), lambda: os.mkfifo("$WORLD/fifo")):
        try: call()
        except OSError: pass
    """,
)
_program("write_tmp", 'open("/tmp/$MARK-tmp", "w").write("x")')
_program("write_shared_memory", 'open("/dev/shm/$MARK-shm", "w").write("x")')
_program("write_here", 'open("$MARK-here", "w").write("x")')
_program(
    "user_site_startup_file",
    """
    folder = "$HOME/.local/lib/python3.11/site-packages"
    os.makedirs(folder, exist_ok=True)
    open(folder + "/$MARK.pth", "w").write("import sys\\n")
    """,
)
_program(
    "plant_conftest_edit_oracle",
    """
    for name in ("conftest.py", "sitecustomize.py", "oracle.jsonl"):
        try: open("$WORLD/" + name, "w").write("{}")
        except OSError: pass
    """,
)
_program(
    "patch_standard_library",
    """
    import json
    for path in (json.__file__, json.__cached__, os.__file__):
        try: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)); print("ATTACK-OK", path)
        except OSError: pass
    """,
)
_program("system_v_memory", "libc.shmget(0x5B5B5B, 4096, 0o1666) >= 0 and print('ATTACK-OK')")
_program("system_v_queue", "libc.msgget(0x5B5B5C, 0o1666) >= 0 and print('ATTACK-OK')")
_program("posix_queue", 'libc.mq_open(b"/$MARK", 0o102, 0o600, None) >= 0 and print("ATTACK-OK")')
_program(
    "keyring",
    'libc.syscall(248, b"user", b"$MARK", b"v", 1, -4) > 0 and print("ATTACK-OK")',
)
_program(
    "kernel_knobs",
    """
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/$GRADER/oom_score_adj",
                 "/proc/self/oom_score_adj", "/sys/kernel/uevent_helper", "/sys/power/state"):
        try: os.open(path, os.O_WRONLY); print("ATTACK-OK", path)
        except OSError: pass
    """,
)
_program("memory_file", 'print("ATTACK-OK", os.memfd_create("x"))')
_program("host_name", 'libc.sethostname(b"x", 1) == 0 and print("ATTACK-OK")')
_program(
    "clock", "try: time.clock_settime(0, time.time()); print('ATTACK-OK')\nexcept OSError: pass"
)

# ---------------------------------------------------------------------------- processes

_program("kill_victim", "os.kill($VICTIM, 15)")
_program(
    "kill_grader",
    """
    for pid in {os.getppid(), $GRADER, -1}:
        for number in (15, 9):
            try: os.kill(pid, number)
            except OSError: pass
    """,
)
_program(
    "signal_through_fcntl",
    """
    import fcntl
    reader, writer = os.pipe()
    fcntl.fcntl(reader, 8, $VICTIM); fcntl.fcntl(reader, 10, 15)
    fcntl.fcntl(reader, 4, os.O_ASYNC | os.O_NONBLOCK)
    os.write(writer, b"x"); time.sleep(0.1)
    """,
)
_program(
    "pidfd_signal",
    "libc.syscall(424, libc.syscall(434, $VICTIM, 0), 15, 0, 0) == 0 and print('ATTACK-OK')",
)
_program(
    "queued_signal",
    "libc.syscall(129, $VICTIM, 15, ctypes.create_string_buffer(128)) == 0 and print('ATTACK-OK')",
)
_program(
    "limits_of_victim",
    "import resource; resource.prlimit($VICTIM, resource.RLIMIT_NOFILE, (7, 7))",
)
_program(
    "priority_of_victim",
    """
    for call in (lambda: os.setpriority(os.PRIO_PROCESS, $VICTIM, 19), lambda: os.sched_setaffinity($VICTIM, {0}),
                 lambda: os.sched_setscheduler($VICTIM, os.SCHED_BATCH, os.sched_param(0)),
                 lambda: os.setpriority(os.PRIO_USER, os.getuid(), 19)):
        try: call()
        except OSError: pass
    """,
)
_program(
    "survivor",
    """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for descriptor in range(3): os.close(descriptor)
            time.sleep(6)
        os._exit(0)
    """,
)
_program(
    "fork_bomb",
    """
    count = 0
    for _ in range(40):
        if os.fork() == 0: time.sleep(1); os._exit(0)
        count += 1
    print("ATTACK-OK")
    """,
)
_program("vfork", "libc.syscall(58) >= 0 and print('ATTACK-OK')")
_program(
    "clone3", "libc.syscall(435, ctypes.create_string_buffer(88), 88) >= 0 and print('ATTACK-OK')"
)
_program(
    "clone_process",
    "libc.syscall(56, 17, 0, 0, 0, 0) >= 0 and print('ATTACK-OK', flush=True)",
)
_program(
    "thread_bomb",
    """
    import threading
    threading.stack_size(32768)
    event, count = threading.Event(), 0
    for _ in range(1500):
        try: threading.Thread(target=event.wait, args=(0.5,), daemon=True).start(); count += 1
        except RuntimeError: break
    print("ATTACK-OK" if count >= 1500 else count, flush=True); os._exit(0)
    """,
    _LIMITED,
    4.0,
)
_program(
    "output_held_by_child",
    'import subprocess; subprocess.Popen(["sleep", "5"]); print("x")',
)
_program(
    "shell",
    'import subprocess; print(subprocess.run(["/bin/sh", "-c", "echo ATTACK-OK"], capture_output=True, text=True).stdout)',
)
_program("system", 'os.system("echo ATTACK-OK")')
_program("exec", 'os.execv("/bin/echo", ["echo", "ATTACK-OK"])')
_program(
    "exec_interpreter", 'os.execv(sys.executable, [sys.executable, "-c", "print(\'ATTACK-OK\')"])'
)
_program(
    "multiprocessing",
    'import multiprocessing as m; m.get_context("fork").Process(target=print, args=("ATTACK-OK",)).start()',
)
_program(
    "daemon_thread_left_behind",
    "import threading; threading.Thread(target=time.sleep, args=(5,), daemon=True).start()",
)

# ------------------------------------------------------------------------------ network

_program(
    "tcp",
    'socket.create_connection(("127.0.0.1", $TCP), 1).sendall(b"hi"); time.sleep(0.05)',
)
_program("tcp_listen", 'socket.socket().bind(("127.0.0.1", 0)); print("ATTACK-OK")')
_program(
    "udp",
    'socket.socket(2, 2).sendto(b"hi", ("127.0.0.1", $UDP)); time.sleep(0.05)',
)
_program("name_lookup", 'print("ATTACK-OK", socket.getaddrinfo("localhost", 80))')
_program(
    "abstract_unix_socket",
    'c = socket.socket(1, 1); c.connect("\\0$ABSTRACT"); c.sendall(b"hi"); time.sleep(0.05)',
)
_program(
    "unix_socket_by_path",
    'c = socket.socket(1, 1); c.connect("$WORLD/unix"); c.sendall(b"hi"); time.sleep(0.05)',
)
_program(
    "datagram_from_socketpair",
    """
    for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        try: a, b = socket.socketpair(socket.AF_UNIX, kind); print("ATTACK-OK")
        except OSError: pass
    a, b = socket.socketpair()
    a.sendto(b"hi", "\\0$ABSTRACT"); print("ATTACK-OK")
    """,
)
_program(
    "other_families",
    """
    for arguments in ((16, 3, 0), (40, 1, 0), (17, 3, 0), (38, 5, 0), (2, 3, 1)):
        try: socket.socket(*arguments); print("ATTACK-OK", arguments)
        except OSError: pass
    """,
)
_program(
    "io_uring", "libc.syscall(425, 4, ctypes.create_string_buffer(120)) >= 0 and print('ATTACK-OK')"
)

# ---------------------------------------------------------------------------- resources

_program(
    "memory_bomb",
    'keep = [b"\\1" * (64 << 20) for _ in range(20)]; print("ATTACK-OK")',
    _LIMITED,
    4.0,
)
_program(
    "memory_by_mapping",
    'import mmap; keep = [mmap.mmap(-1, 64 << 20) for _ in range(20)]; print("ATTACK-OK")',
    _LIMITED,
)
_program(
    "decompression_bomb",
    """
    import zlib
    packed = zlib.compress(b"\\0" * (16 << 20))
    keep = [zlib.decompress(packed) for _ in range(80)]
    print("ATTACK-OK")
    """,
    _LIMITED,
    4.0,
)
_program(
    "pipe_buffers",
    """
    import fcntl
    grown = 0
    for _ in range(200):
        reader, writer = os.pipe()
        try: grown += fcntl.fcntl(writer, 1031, 1 << 20) >= 1 << 20
        except OSError: pass
    print("ATTACK-OK" if grown else "")
    """,
)
_program(
    "many_descriptors",
    """
    keep = []
    for _ in range(300): keep.append(os.dup(0))
    print("ATTACK-OK")
    """,
)
_program(
    "disk_bomb",
    """
    written = 0
    for i in range(20):
        for folder in ("./", "/tmp/", "/dev/shm/"):
            try: written += open(f"{folder}$MARK-{i}", "wb").write(b"\\1" * (1 << 20))
            except OSError: pass
    print("ATTACK-OK" if written else "")
    """,
)
_program(
    "output_flood",
    'block = "y" * (1 << 20)\nfor _ in range(200): sys.stdout.write(block)',
    frozenset({"runtime_error"}),
    4.0,
)
_program(
    "output_flood_errors_ignored",
    """
    block = b"OK\\n" * (1 << 16)
    for _ in range(300):
        try: os.write(1, block)
        except OSError: pass
    """,
    frozenset({"runtime_error"}),
    4.0,
)
_program(
    "error_flood",
    'block = "y" * (1 << 20)\nfor _ in range(200): sys.stderr.write(block)',
    _FAILS,
    4.0,
)
_program("spin", "while True: pass", _STOPPED, 0.3)
_program("sleep", "time.sleep(12)", _STOPPED, 0.2)
_program(
    "ignore_signals_and_sleep",
    """
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True: time.sleep(1)
    """,
    _STOPPED,
    0.2,
)
_program(
    "uninterruptible_computation",
    "x = pow(3, 10**7 + 1)\nfor _ in range(6): x = (x * x) >> 4000000",
    _STOPPED,
    0.3,
)
_program("catastrophic_regex", 'import re; re.match(r"(a+)+$", "a" * 40 + "b")', _STOPPED, 0.3)
_program(
    "threads_that_spin",
    """
    import threading
    for _ in range(4): threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()
    """,
    _LIMITED,
    0.3,
)
_program(
    "exit_handler_that_spins",
    "import atexit; atexit.register(lambda: [0 for _ in iter(int, 1)])",
    _LIMITED,
    0.3,
)
_program("huge_constant_to_compile", "x = 1 << 10**6 << 10**6 << 10**9", _LIMITED, 0.5)
_program("deep_nesting_to_compile", "x = " + "(" * 5000 + ")" * 5000, frozenset({"compile_error"}))
_program("nul_byte_to_compile", "x = 1\0", frozenset({"compile_error"}))

# -------------------------------------------------------------------------- kernel surface

_program("user_namespace", "libc.unshare(0x10000000 | 0x20000) == 0 and print('ATTACK-OK')")
_program("mount", 'libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 and print("ATTACK-OK")')
_program("chroot", 'os.chroot("/"); print("ATTACK-OK")')
_program("become_root", "os.setresuid(0, 0, 0) or os.getuid() == 0 and print('ATTACK-OK')")
_program(
    "regain_capabilities",
    """
    header = struct.pack("Ii", 0x20080522, 0)
    libc.capset(header, b"\\xff" * 24) == 0 and print("ATTACK-OK")
    """,
)
_program(
    "loosen_the_filter",
    """
    for number, arguments in ((317, (1, 0, 0)), (157, (22, 2, 0, 0, 0)), (157, (4, 1, 0, 0, 0)), (157, (38, 0, 0, 0, 0))):
        libc.syscall(number, *arguments) == 0 and print("ATTACK-OK", number)
    """,
)
_program(
    "probed_calls",
    """
    for number in (321, 298, 323, 250, 246, 175, 313, 304, 303, 310, 311, 312, 438, 425, 428, 430, 442):
        result = libc.syscall(number, -1, 0, 0, 0, 0)
        if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            print("ATTACK-OK", number)
    """,
)
_program(
    "x32_calls",
    "libc.syscall(0x40000000 | 41, 2, 1, 0) >= 0 and print('ATTACK-OK')",
)
_program("crash", "ctypes.string_at(0)", frozenset({"runtime_error"}))
_program("abort", "os.abort()", frozenset({"runtime_error"}))
_program(
    "terminal_injection",
    """
    import fcntl, termios
    for descriptor in range(3):
        try: fcntl.ioctl(descriptor, termios.TIOCSTI, b"x"); print("ATTACK-OK")
        except OSError: pass
    """,
)

# ========================================================================= function mode
# The tests call solve(0), solve(1) and solve(2) and expect secret strings.

_WRONG = "def solve(x):\n    return -1\n"

_function("import_exits", _WRONG + "import sys; sys.exit(0)")
_function("import_hard_exits", _WRONG + "import os; os._exit(0)", frozenset({"runtime_error"}))
_function(
    "call_hard_exits", "def solve(x):\n    import os; os._exit(0)", frozenset({"runtime_error"})
)
_function(
    "always_equal_object",
    """
    class Equal:
        def __eq__(self, other): return True
        def __ne__(self, other): return False
        def __bool__(self): return True
        def __lt__(self, other): return True
        def __contains__(self, other): return True
        def __iter__(self): return iter([])
        __hash__ = None
    def solve(x): return Equal()
    """,
    frozenset({"wrong_answer"}),
)
for _kind, _value in (
    ("str", '"z"'),
    ("int", "7"),
    ("list", "[1]"),
    ("tuple", "(1,)"),
    ("dict", "{}"),
    ("float", "1.5"),
):
    _function(
        f"always_equal_{_kind}",
        f"""
        class Equal({_kind}):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            __hash__ = {_kind}.__hash__
        def solve(x): return Equal({_value})
        """,
        frozenset({"wrong_answer"}),
    )
_function(
    "object_named_like_a_builtin",
    """
    class str:
        def __eq__(self, other): return True
    str.__module__ = "builtins"; str.__qualname__ = "str"
    def solve(x): return str()
    """,
    frozenset({"wrong_answer"}),
)
_function(
    "frames_and_gc_for_expected",
    """
    import sys, gc, re
    pattern = re.compile("".join(["EXP", "TOK"]) + "[0-9a-f]{32}")
    def look(value, depth=0):
        if isinstance(value, str): return pattern.findall(value)
        if hasattr(value, "co_consts"): value = value.co_consts
        if isinstance(value, dict): value = list(value.values())
        found = []
        if depth < 5 and isinstance(value, (list, tuple)):
            for item in list(value)[:500]: found += look(item, depth + 1)
        return found
    def solve(x):
        frame, found = sys._getframe(), []
        while frame:
            found += look(dict(frame.f_locals)) + look(frame.f_code); frame = frame.f_back
        for value in gc.get_objects(): found += look(value, 4)
        found = list(dict.fromkeys(found))
        return found[x] if x < len(found) else None
    """,
)
_function(
    "own_source",
    """
    import sys, re
    found = []
    for path in (sys.argv[0], globals().get("__file__") or "", "/proc/self/cmdline", "tests.py"):
        try: found += re.findall("EXPTOK[0-9a-f]{32}", open(path).read())
        except OSError: pass
    def solve(x): return found[x] if x < len(found) else None
    """,
)
_function(
    "memory_of_the_tester",
    """
    import os, re
    found = []
    for pid in (os.getppid(), os.getpid() + 1, os.getpid() - 1):
        try:
            memory = open(f"/proc/{pid}/mem", "rb", 0)
            for line in open(f"/proc/{pid}/maps"):
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                if "rw" in line and high - low < 1 << 26:
                    memory.seek(low); found += re.findall(rb"EXPTOK[0-9a-f]{32}", memory.read(high - low))
        except OSError: pass
    def solve(x): return found[x].decode() if x < len(found) else None
    """,
)
_function(
    "wait_for_the_tester_then_kill",
    """
    import os
    def solve(x):
        for pid in range(max(2, os.getpid() - 3), os.getpid() + 4):
            for number in (9, 15, 19):
                if pid != os.getpid():
                    try: os.kill(pid, number)
                    except OSError: pass
        return -1
    """,
    frozenset({"wrong_answer"}),
)
_function("exit_handler", _WRONG + "import atexit, os\natexit.register(lambda: os._exit(0))")
_function("exception_hook", _WRONG + "import sys, os\nsys.excepthook = lambda *a: os._exit(0)")
_function(
    "verdict_words_printed",
    _WRONG + 'print("PASS"); print("passed"); print(\'{"outcome": "pass"}\')',
)
_function(
    "patched_checkers",
    """
    import builtins, json, operator
    builtins.all = lambda *a: True; builtins.abs = lambda *a: 0; builtins.isinstance = lambda *a: True
    json.loads = lambda *a, **k: {"outcome": "pass"}; json.dumps = lambda *a, **k: '{"root": true}'
    operator.eq = lambda *a: True
    def solve(x): return -1
    """,
)
_function("fork_and_parent_exits", _WRONG + "import os\nif os.fork(): os._exit(0)")
_function(
    "thread_that_rewrites_frames",
    """
    import threading, sys, time
    def evil():
        for _ in range(300):
            for frame in list(sys._current_frames().values()):
                while frame:
                    for name, value in list(frame.f_locals.items()):
                        if isinstance(value, dict) and "root" in value: value["root"] = True
                        if isinstance(value, list) and name in ("results", "held"): value[:] = [True]
                    frame = frame.f_back
            time.sleep(0.001)
    threading.Thread(target=evil, daemon=True).start()
    def solve(x): time.sleep(0.02); return True
    """,
)
_function(
    "forged_frames_to_every_descriptor",
    """
    import os, struct
    reply = b'{"root":true,"nodes":[],"changed":{},"callable":false}'
    verdict = b'{"outcome": "pass", "detail": "", "passed": 3, "total": 3}'
    for descriptor in range(3, 256):
        for message in (b"PASS", b"C", b"S", verdict, struct.pack("<I", len(reply)) + reply):
            try: os.write(descriptor, message)
            except OSError: pass
    def solve(x): return "PASS"
    """,
)
_function(
    "system_exit_in_call",
    "def solve(x):\n    raise (SystemExit(0), KeyboardInterrupt(), GeneratorExit())[x % 3]",
)
_function("stop_iteration_in_call", "def solve(x):\n    raise StopIteration")
_function("assertion_swallowed", "def solve(x):\n    raise AssertionError('pass')")
_function(
    "helpers_redefined",
    """
    import builtins
    def check(candidate): return None
    def solve(x): return -1
    def helper(a, b): return True
    for name in ("sorted", "len", "range", "list", "AssertionError", "type", "print"):
        setattr(builtins, name, lambda *a, **k: True)
    """,
)
_function(
    "hang_in_call",
    """
    import time
    def solve(x):
        while True:
            try: time.sleep(1)
            except BaseException: pass
    """,
    _STOPPED,
    0.2,
)
_function("spin_in_call", "def solve(x):\n    while True: pass", _STOPPED, 0.3)
_function("endless_iterator", "def solve(x):\n    return iter(int, 1)", _LIMITED)
_function("huge_result", 'def solve(x):\n    return "x" * (64 << 20)', _LIMITED)
_function(
    "deep_result",
    """
    def solve(x):
        value = []
        for _ in range(200000): value = [value]
        return value
    """,
    _LIMITED,
)
_function(
    "colliding_hashes",
    "def solve(x):\n    return {i * (2**61 - 1): 0 for i in range(20000)}",
    _LIMITED,
    0.5,
)
_function(
    "malformed_frames",
    """
    import os, struct, json
    from jail import codec
    bad = [b"", b"\\xff" * 8, struct.pack("<I", 1 << 31), struct.pack("<I", 2) + b"[]",
           struct.pack("<I", 10) + b'{"root":5}', struct.pack("<I", 4) + b"nul!"]
    def solve(x):
        os.write(49, bad[x + 2]); return 1
    """,
)
for _index, _node in enumerate(
    (
        '["o","Solution",1]',
        '["h","x"]',
        '["T","__import__"]',
        '["T","eval"]',
        '["t",[0]]',
        '["zzz"]',
        '["F","0x1","0x0"]',
        '["D","NaN?"]',
        '["s",[1]],["l"]',
        "[]",
        '["i","__import__"]',
    )
):
    _body = f'{{"root":[0],"nodes":[{_node}],"changed":{{}},"callable":false}}'
    _function(
        f"hostile_node_{_index}",
        f"""
        import os, struct
        body = {_body.encode()!r}
        def solve(x):
            os.write(49, struct.pack("<I", len(body)) + body)
        """,
    )
_function(
    "changed_arguments_out_of_range",
    """
    import os, struct
    body = b'{"root":1,"nodes":[],"changed":{"99":["l"],"0":["d"]},"callable":false}'
    def solve(x):
        os.write(49, struct.pack("<I", len(body)) + body)
    """,
)
_function(
    "hang_up_and_go_on",
    "import os, time\ndef solve(x):\n    os.close(49); time.sleep(3)",
    frozenset({"runtime_error"}),
)
_function("infra_by_memory", "def solve(x):\n    return bytearray(3 << 30)", frozenset({"memory"}))
_function("infra_by_own_sigkill", "import os\ndef solve(x):\n    os.kill(os.getpid(), 9)", _FAILS)
_function(
    "crash_in_call",
    "import ctypes\ndef solve(x):\n    ctypes.string_at(0)",
    frozenset({"runtime_error"}),
)
_function(
    "lies_about_its_type",
    "class C:\n    __class__ = str\n    def __eq__(self, o): return True\ndef solve(x): return C()",
)
