"""The pool: limits, refusal, recovery, order, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.verify.sandbox import (
    Ending,
    FunctionJob,
    InfraError,
    Layers,
    Limits,
    Outcome,
    ProgramJob,
    SandboxPool,
    SandboxUnavailableError,
    canary,
    host,
    worker,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs run on Linux only")


def _below(pids):
    """Processes below the given ones, at any depth."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found, grown = set(pids), True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found, grown = found | more, bool(more)
    return found - set(pids)


def _wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_result_of_a_program(pool):
    result = pool.run(ProgramJob("import sys\nprint(input())\nprint('e', file=sys.stderr)", "hé\n"))
    assert (result.ending, result.exit_code) == (Ending.EXITED, 0)
    assert result.stdout == "hé\n".encode()
    assert result.stderr == "e\n"
    assert not result.output_overflow
    assert 0 < result.cpu_s < 2
    assert result.wall_s > 0
    assert 5 < result.peak_mib < 200


def test_traceback_shows_the_program_alone(pool):
    stderr = pool.run(ProgramJob("def f():\n    1 / 0\nf()")).stderr
    assert stderr.splitlines()[1].strip() == 'File "solution.py", line 3, in <module>'
    assert "jail" not in stderr


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no')", 1),
        ("raise ValueError", 1),
        ("import sys; sys.exit(None)", 0),
        ("import sys; sys.exit(256)", 0),
    ],
)
def test_exit_status(pool, code, status):
    assert pool.run(ProgramJob(code)).exit_code == status


def test_cpu_limit_stops_a_spin_before_the_wall_limit(pool):
    result = pool.run(ProgramJob("while True: pass", limits=Limits(cpu_s=0.2, wall_s=30)))
    assert result.ending is Ending.TIMEOUT
    assert 0.15 < result.cpu_s < 2


def test_wall_limit_stops_a_sleep(pool):
    job = ProgramJob("import time; time.sleep(60)", limits=Limits(cpu_s=5, wall_s=0.2))
    result = pool.run(job)
    assert result.ending is Ending.TIMEOUT
    assert result.cpu_s < 0.2


def test_wall_limit_is_looser_than_the_cpu_limit_by_default():
    assert Limits(cpu_s=2.0).wall == pytest.approx(6.0)
    assert Limits(cpu_s=2.0, wall_s=1.0).wall == 1.0


@pytest.mark.parametrize("field", ["cpu_s", "wall_s", "memory_mib", "output_bytes"])
def test_limits_must_be_positive(field):
    with pytest.raises(ValueError, match="positive"):
        replace(Limits(), **{field: 0})


@pytest.mark.parametrize("mib", [64, 256])
def test_memory_limit_counts_beyond_the_interpreter(pool, mib):
    code = "x = bytearray({} << 20); print('ok')"
    limits = Limits(memory_mib=mib)
    assert pool.run(ProgramJob(code.format(mib - 16), limits=limits)).stdout == b"ok\n"
    over = pool.run(ProgramJob(code.format(mib + 16), limits=limits))
    assert over.ending is Ending.OUT_OF_MEMORY


def test_memory_limit_holds_for_threads_together(pool):
    code = """
        import threading
        keep, failed = [], []
        def grab():
            try: keep.append(bytearray(100 << 20))
            except MemoryError: failed.append(1)
        threads = [threading.Thread(target=grab) for _ in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        print(len(failed) > 0)
    """
    job = ProgramJob(textwrap.dedent(code), limits=Limits(memory_mib=256))
    assert pool.run(job).stdout == b"True\n"


def test_output_is_capped_and_marked(pool):
    job = ProgramJob("import sys; sys.stdout.write('x' * 100000)", limits=Limits(output_bytes=5000))
    result = pool.run(job)
    assert len(result.stdout) == 5000
    assert result.output_overflow


def test_open_files_are_limited(pool):
    code = "import os\nn = 0\ntry:\n  while True: os.dup(0); n += 1\nexcept OSError: print(n < 64)"
    assert pool.run(ProgramJob(code)).stdout == b"True\n"


def test_compile_errors_are_told_apart_from_syntax_errors_at_run_time(pool):
    assert pool.run(ProgramJob("x = (")).ending is Ending.NOT_COMPILED
    late = pool.run(ProgramJob("raise SyntaxError('late')"))
    assert (late.ending, late.exit_code) == (Ending.EXITED, 1)


def test_large_input_and_output(pool):
    text = "".join(f"{i}\n" for i in range(400_000))
    job = ProgramJob("import sys; sys.stdout.write(sys.stdin.read())", text)
    assert pool.run(job).stdout.decode() == text


def test_code_with_lone_surrogates_is_not_an_infrastructure_failure(pool):
    assert pool.run(ProgramJob("print('\ud800')")).ending in (Ending.EXITED, Ending.NOT_COMPILED)


def test_nothing_survives_a_run(pool):
    zygotes = pool.pids()
    before = _below(zygotes)
    code = "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True)"
    code += ".start()"
    pool.run(ProgramJob(code))
    assert _below(zygotes) <= before


def test_children_are_swept_where_no_filter_forbids_them():
    layers = Layers(landlock=False, seccomp=False, namespaces=False)
    with SandboxPool(1, unsafe=True, layers=layers) as loose:
        zygotes = loose.pids()
        code = """
            import os, time
            for _ in range(3):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0: time.sleep(60)
                    os._exit(0)
            print("forked")
        """
        assert b"forked" in loose.run(ProgramJob(textwrap.dedent(code))).stdout
        assert _below(zygotes) == set()


def test_descriptors_do_not_leak_in_the_toolkit(pool):
    pool.run(ProgramJob("print(1)"))
    pool.check(FunctionJob("def f(): return 1", "assert f() == 1"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        pool.run(ProgramJob("print(1)"))
        pool.check(FunctionJob("def f(): return 1", "assert f() == 1"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_runs_do_not_see_each_other(pool):
    pool.run(ProgramJob("import builtins, json; builtins.leak = 1; json.leak = 2"))
    code = "import builtins, json; print(hasattr(builtins, 'leak'), hasattr(json, 'leak'))"
    for _ in range(4):
        assert pool.run(ProgramJob(code)).stdout == b"False False\n"


def test_unseeded_randomness_differs_between_runs(pool):
    runs = {pool.run(ProgramJob("import random; print(random.random())")).stdout for _ in range(4)}
    assert len(runs) == 4


def test_results_come_in_the_order_of_the_jobs(pool):
    jobs = [ProgramJob(f"import time; time.sleep({0.05 * (i % 3)}); print({i})") for i in range(9)]
    results = pool.run_many(jobs)
    assert [int(result.stdout) for result in results] == list(range(9))


def test_async_runs_are_bounded_by_the_workers():
    running, peak = 0, 0

    async def main(pool):
        nonlocal running, peak
        original = pool._attempt

        def counted(action):
            nonlocal running, peak

            def counting(worker):
                nonlocal running, peak
                running += 1
                peak = max(peak, running)
                try:
                    return action(worker)
                finally:
                    running -= 1

            return original(counting)

        pool._attempt = counted
        jobs = [ProgramJob(f"import time; time.sleep(.2); print({i})") for i in range(6)]
        return await asyncio.gather(*(pool.arun(job) for job in jobs))

    with SandboxPool(2) as pool:
        results = asyncio.run(main(pool))
    assert [int(result.stdout) for result in results] == list(range(6))
    assert peak == 2


def test_async_function_mode(pool):
    job = FunctionJob("def f(): return 1", "assert f() == 1")
    assert asyncio.run(pool.acheck(job)).outcome is Outcome.PASS


def test_a_killed_zygote_is_replaced_and_the_run_repeated():
    with SandboxPool(1) as pool:
        (first,) = pool.pids()
        killer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
        killer.start()
        result = pool.run(ProgramJob("import time; time.sleep(0.8); print('done')"))
        assert result.stdout == b"done\n"
        assert first not in pool.pids()
        assert pool.run(ProgramJob("print(2)")).stdout == b"2\n"


def test_a_zygote_killed_while_idle_is_replaced():
    with SandboxPool(1) as pool:
        os.kill(pool.pids()[0], signal.SIGKILL)
        assert pool.run(ProgramJob("print(2)")).stdout == b"2\n"


def test_a_zygote_that_always_dies_is_infra_not_a_verdict(monkeypatch):
    with SandboxPool(1) as pool:

        def dies(self, job):
            raise InfraError("it died")

        monkeypatch.setattr(worker.Worker, "run", dies)
        with pytest.raises(InfraError):
            pool.run(ProgramJob("print(1)"))
        (result,) = pool.run_many([ProgramJob("print(1)")])
        assert isinstance(result, InfraError)
        monkeypatch.undo()
        assert pool.run(ProgramJob("print(1)")).stdout == b"1\n"


def test_a_program_killed_from_outside_is_infra():
    """As the machine's out-of-memory killer would; the program itself cannot bring it about."""
    with SandboxPool(1, layers=Layers(namespaces=False)) as pool:
        zygotes, killed = pool.pids(), []

        def kill_children():
            while len(killed) < 3:
                for pid in _below(zygotes):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                zygotes[:] = pool.pids()
                time.sleep(0.05)

        killer = threading.Thread(target=kill_children)
        killer.start()
        with pytest.raises(InfraError, match=r"outside|self-test"):
            pool.run(ProgramJob("import time; time.sleep(5)"))
        killed += [0] * 3
        killer.join()


def test_a_program_under_way_dies_with_its_zygote():
    with SandboxPool(1, layers=Layers(namespaces=False)) as pool:
        zygotes = pool.pids()
        thread = threading.Thread(
            target=lambda: pool.run(ProgramJob("import time; time.sleep(1)")), daemon=True
        )
        thread.start()
        _wait_until(lambda: _below(zygotes))
        (child,) = _below(zygotes)
        os.kill(zygotes[0], signal.SIGKILL)
        _wait_until(lambda: not Path(f"/proc/{child}").exists())
        thread.join()


@pytest.mark.parametrize("namespaces", [True, False])
def test_everything_ends_when_the_toolkit_is_killed(namespaces):
    script = f"""
        import sys, threading, time
        from tracelift_groups.verify.sandbox import Layers, ProgramJob, SandboxPool
        pool = SandboxPool(1, layers=Layers(namespaces={namespaces}))
        threading.Thread(
            target=pool.run, args=(ProgramJob("import time; time.sleep(60)"),), daemon=True
        ).start()
        time.sleep(0.3)
        print(pool.pids()[0], flush=True)
        time.sleep(60)
    """
    toolkit = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert toolkit.stdout is not None
    zygote = int(toolkit.stdout.readline())
    family = {zygote} | _below([zygote])
    assert len(family) >= 2
    toolkit.kill()
    toolkit.wait()
    toolkit.stdout.close()
    _wait_until(
        lambda: not any(Path(f"/proc/{pid}/exe").is_symlink() and _alive(pid) for pid in family)
    )


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_closing_ends_the_zygotes():
    pool = SandboxPool(1)
    (zygote,) = pool.pids()
    family = {zygote} | _below([zygote])
    pool.close()
    _wait_until(lambda: not any(_alive(pid) for pid in family))
    with pytest.raises(RuntimeError, match="closed"):
        pool.run(ProgramJob("print(1)"))


def test_a_forked_copy_may_not_use_the_pool(pool):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            pool.run(ProgramJob("print(1)"))
        except RuntimeError as error:
            os.write(writer, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert b"fork" in os.read(reader, 1000)
    os.close(reader)
    assert pool.run(ProgramJob("print(1)")).stdout == b"1\n"


# ------------------------------------------------------------------- refusal and self-test


@pytest.mark.parametrize(
    "layers",
    [
        Layers(landlock=False, seccomp=True, namespaces=False),
        Layers(landlock=True, seccomp=False, namespaces=False),
        Layers(landlock=True, seccomp=False, namespaces=True),
        Layers(landlock=False, seccomp=False, namespaces=False),
    ],
    ids=["seccomp-only", "landlock-only", "no-seccomp", "nothing"],
)
def test_too_little_isolation_is_refused_with_the_way_out(layers):
    with pytest.raises(SandboxUnavailableError) as caught:
        SandboxPool(1, layers=layers)
    assert "a program could" in str(caught.value)
    assert "--unsafe-local-exec" in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "attack"),
    [
        (Layers(landlock=False, seccomp=True, namespaces=False), "read /etc/passwd"),
        (Layers(landlock=False, seccomp=True, namespaces=False), "write to /tmp"),
        (Layers(landlock=True, seccomp=False, namespaces=False), "open a UDP socket"),
        (Layers(landlock=True, seccomp=False, namespaces=False), "start a process"),
        (Layers(landlock=True, seccomp=False, namespaces=False), "create a memory file"),
    ],
)
def test_the_canary_notices_a_missing_layer(layers, attack):
    loose = worker.Worker((), layers, seed=1)
    try:
        assert attack in canary.attacks_that_succeed(loose)
    finally:
        loose.close()


def test_the_canary_succeeds_at_everything_where_nothing_stops_it():
    """A canary that cannot do harm without a sandbox would prove nothing."""
    loose = worker.Worker((), Layers(landlock=False, seccomp=False, namespaces=False), seed=1)
    try:
        succeeded = set(canary.attacks_that_succeed(loose))
    finally:
        loose.close()
    declared = {
        line.split('"')[1] for line in canary.PROGRAM.splitlines() if line.startswith("@attack")
    }
    as_another_user = {
        "change a file's mode",
        "change a descriptor's mode",
        "signal its parent",
        "signal the toolkit",
        "change limits of its parent",
        "renice its parent",
        "read the toolkit's environment",
    }
    assert succeeded >= declared - as_another_user


def test_a_canary_that_does_not_finish_is_a_refusal(monkeypatch):
    monkeypatch.setattr(canary, "PROGRAM", "print('x')")
    with pytest.raises(SandboxUnavailableError, match="did not run to its end"):
        SandboxPool(1)


def test_a_canary_that_succeeds_is_a_refusal(monkeypatch):
    program = "n = input(); print(n); print('read minds'); print(n)"
    monkeypatch.setattr(canary, "PROGRAM", program)
    with pytest.raises(SandboxUnavailableError, match="read minds"):
        SandboxPool(1)


def test_unsafe_execution_has_to_be_asked_for_and_says_so(caplog):
    layers = Layers(landlock=False, seccomp=False, namespaces=False)
    with SandboxPool(1, unsafe=True, layers=layers) as loose:
        assert loose.isolation.tier == "none"
        assert not loose.isolation.sufficient
        assert loose.run(ProgramJob("print(1)")).stdout == b"1\n"
    assert "unsafe local execution" in caplog.text


def test_unsafe_still_uses_the_layers_there_are():
    with SandboxPool(1, unsafe=True) as pool:
        assert pool.isolation.sufficient


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"system": "Darwin"}, "Linux only"),
        ({"machine": "riscv64"}, "riscv64"),
        ({"kernel": "5.10.0-8-amd64"}, "5.10"),
    ],
)
@pytest.mark.parametrize("unsafe", [False, True])
def test_unsupported_machines_are_refused(monkeypatch, change, message, unsafe):
    fake = host.Host("Linux", platform.machine(), "6.1.0", 3)._replace(**change)
    monkeypatch.setattr(host, "describe", lambda: fake)
    with pytest.raises(SandboxUnavailableError, match=message) as caught:
        SandboxPool(1, unsafe=unsafe)
    assert "--sandbox-url" in str(caught.value)


# ------------------------------------------------------------------------------ preloading


def test_numpy_pool():
    pytest.importorskip("numpy")
    with SandboxPool(1, packages=("numpy",)) as pool:
        code = "import numpy as np\nprint(np.linalg.det(np.eye(3)), np.random.rand(2).shape)"
        assert pool.run(ProgramJob(code)).stdout == b"1.0 (2,)\n"
        other = pool.run(ProgramJob("import click"))
        assert "ModuleNotFoundError" in other.stderr


def test_the_plain_pool_reaches_no_installed_package(pool):
    assert "ModuleNotFoundError" in pool.run(ProgramJob("import pytest")).stderr


def test_a_package_that_is_not_installed_is_the_users_mistake():
    with pytest.raises(UserError, match="pip install no_such_package"):
        SandboxPool(1, packages=("no_such_package",))
