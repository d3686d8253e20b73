"""The start-up self-test: a program whose attacks must fail before any other program is run."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from tracelift_groups.verify.sandbox.model import Ending, Limits, ProgramJob
from tracelift_groups.verify.sandbox.worker import Worker

PROGRAM = r"""
import ctypes, os, socket, sys
nonce, target, grader = sys.stdin.read().split("\n")[:3]
attacks = {}

def attack(name):
    def register(function):
        attacks[name] = function
    return register

@attack("read /etc/passwd")
def _(): open("/etc/passwd").read()
@attack("read a file of the user")
def _(): open(target).read()
@attack("write to a file of the user")
def _(): open(target, "a").write("x")
@attack("write to /tmp")
def _(): os.close(os.open("/tmp/tracelift-canary", os.O_CREAT | os.O_WRONLY | os.O_EXCL))
@attack("change a file's mode")
def _(): os.chmod(target, 0o600)
@attack("change a descriptor's mode")
def _(): os.fchmod(1, 0o600)
@attack("set a file's times")
def _(): os.utime(target)
@attack("open a TCP socket")
def _(): socket.socket(socket.AF_INET, socket.SOCK_STREAM)
@attack("open a UDP socket")
def _(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
@attack("open a unix socket")
def _(): socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
@attack("signal its parent")
def _(): os.kill(os.getppid(), 0)
@attack("signal the toolkit")
def _(): os.kill(int(grader), 0)
@attack("change limits of its parent")
def _():
    import resource
    resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)
@attack("renice its parent")
def _(): os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)
@attack("read the toolkit's environment")
def _(): open("/proc/%s/environ" % grader, "rb").read()
@attack("create a memory file")
def _(): os.memfd_create("x")
@attack("create System V shared memory")
def _():
    segment = ctypes.CDLL(None, use_errno=True).shmget(0, 4096, 0o1600)
    if segment < 0: raise OSError
    ctypes.CDLL(None).shmctl(segment, 0, None)  # removed again
@attack("start a program")
def _():
    ctypes.CDLL(None, use_errno=True).execv(b"/nonexistent", None)
    if ctypes.get_errno() in (1, 13): raise OSError
@attack("start a process")
def _():
    if os.fork() == 0: os._exit(0)

print(nonce)
for name, function in attacks.items():
    try:
        function()
    except (OSError, ValueError):
        continue
    print(name)
print(nonce)
"""


def attacks_that_succeed(worker: Worker) -> list[str]:
    """Runs the canary.

    Args:
        worker: The zygote to test.

    Returns:
        What the canary managed to do; empty when the isolation holds. A canary that did not run
        to its end is reported too: then nothing is known about the isolation.

    Raises:
        InfraError: The zygote itself failed.
    """
    nonce = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "canary.txt")
        target.write_text("a file of the user\n")
        Path(folder).chmod(0o755)
        target.chmod(0o666)
        stdin = f"{nonce}\n{target}\n{os.getpid()}\n"
        result = worker.run(ProgramJob(PROGRAM, stdin, Limits(cpu_s=5.0)))
    Path("/tmp/tracelift-canary").unlink(missing_ok=True)
    lines = result.stdout.decode(errors="replace").split("\n")
    if result.ending is not Ending.EXITED or lines[0] != nonce or nonce not in lines[1:]:
        reason = result.stderr.strip().rpartition("\n")[2] or result.ending
        return [f"the self-test did not run to its end ({reason})"]
    return lines[1 : lines.index(nonce, 1)]
