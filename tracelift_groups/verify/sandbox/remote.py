"""Programs on another machine, over SandboxFusion's HTTP protocol.

The server only runs programs. Outputs are compared on this side, and asserts run in a local
process: each call they make is answered by running the program on the server with all calls so
far as its input, so a program without randomness behaves as it does in one process.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any, cast

from tracelift_groups.errors import UserError
from tracelift_groups.verify.sandbox import testcode
from tracelift_groups.verify.sandbox.jail import codec
from tracelift_groups.verify.sandbox.jail.tester import Verdict
from tracelift_groups.verify.sandbox.model import (
    Ending,
    FunctionJob,
    FunctionResult,
    InfraError,
    Limits,
    Outcome,
    ProgramJob,
    RunResult,
)
from tracelift_groups.verify.sandbox.worker import ENVIRONMENT, unusable_tests

_ATTEMPTS = 3
_FIRST_PAUSE_S = 0.5
_HTTP_GRACE_S = 30.0
_INTERPRETER_BYTES = 1 << 30  # address space of a tester that imports numpy
_CLIENT_ERRORS = range(400, 500)
_TOO_MANY_REQUESTS = 429
_DRIVER = "import sys; sys.path.insert(0, '.'); from jail import replay; sys.exit(replay.main())"
_TESTER = (
    "import sys; sys.path.insert(0, {folder!r}); from jail import replay; "
    "replay.local_tester({calls}, {verdict}, {memory_bytes})"
)


@cache
def _jail_files() -> dict[str, str]:
    """The modules that answer calls, as SandboxFusion wants files: name to base64."""
    folder = Path(__file__).parent / "jail"
    return {
        f"jail/{path.name}": base64.b64encode(path.read_bytes()).decode()
        for path in sorted(folder.glob("*.py"))
    }


def _ending(status: str, code: int, stderr: str) -> Ending:
    last = stderr.strip().rpartition("\n")[2]
    if status == "TimeLimitExceeded":
        return Ending.TIMEOUT
    if code and last.startswith("MemoryError"):
        return Ending.OUT_OF_MEMORY
    if code and last.startswith(("SyntaxError", "IndentationError", "TabError")):
        return Ending.NOT_COMPILED
    return Ending.SIGNALLED if code < 0 else Ending.EXITED


class RemotePool:
    """Runs programs on a SandboxFusion server. Safe to use from several threads.

    How the server isolates programs is the server's affair. It reports no CPU time and no memory:
    the wall limit is `Limits.wall`, and a memory error is told by what the program printed.

    Args:
        url: The server's address, such as "http://sandbox:8080".

    Raises:
        UserError: The address is no HTTP URL.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise UserError(
                f"{url!r} is not an HTTP address",
                where="--sandbox-url",
                way_out="give one like http://sandbox:8080",
            )
        self._url = url.rstrip("/").removesuffix("/run_code") + "/run_code"

    def _post_once(self, body: bytes, timeout_s: float) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url, data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as reply:
                answer = json.loads(reply.read())
        except urllib.error.HTTPError as error:
            if error.code in _CLIENT_ERRORS and error.code != _TOO_MANY_REQUESTS:
                raise UserError(
                    f"the server answered {error.code} {error.reason}",
                    where=self._url,
                    way_out="check that it speaks SandboxFusion's protocol",
                ) from error
            raise InfraError(f"{self._url}: {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise InfraError(f"{self._url}: {error}") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("run_result"), dict):
            message = answer.get("message", "") if isinstance(answer, dict) else ""
            raise InfraError(f"{self._url}: no run result {message!r}")
        if answer.get("status") not in ("Success", "Failed"):
            raise InfraError(f"{self._url}: {answer.get('status')} {answer.get('message', '')}")
        return cast(dict[str, Any], answer["run_result"])

    def _post(self, code: str, stdin: str, limits: Limits, files: dict[str, str]) -> dict[str, Any]:
        """Runs a program on the server, again after failures that are the server's own."""
        body = json.dumps(
            {
                "code": code,
                "language": "python",
                "stdin": stdin,
                "run_timeout": limits.wall,
                "memory_limit_MB": limits.memory_mib,
                "files": files,
            }
        ).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._post_once(body, limits.wall + _HTTP_GRACE_S)
            except InfraError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("unreachable")

    def _run(
        self, code: str, stdin: str, limits: Limits, files: dict[str, str] | None = None
    ) -> RunResult:
        answer = self._post(code, stdin, limits, files or {})
        status = str(answer.get("status", ""))
        timed_out = status == "TimeLimitExceeded"
        if status not in ("Finished", "TimeLimitExceeded"):
            raise InfraError(f"{self._url}: run status {status!r}")
        exit_code = answer.get("return_code")
        if not timed_out and not isinstance(exit_code, int):
            raise InfraError(f"{self._url}: a finished run without a return code")
        code_number = exit_code if isinstance(exit_code, int) else -9
        stdout = str(answer.get("stdout") or "").encode(errors="replace")
        stderr = str(answer.get("stderr") or "")[-4096:]
        return RunResult(
            ending=_ending(status, code_number, stderr),
            exit_code=code_number,
            stdout=stdout[: limits.output_bytes],
            stderr=stderr,
            output_overflow=len(stdout) >= limits.output_bytes,
            cpu_s=0.0,
            wall_s=float(answer.get("execution_time") or 0.0),
            peak_mib=0.0,
        )

    def run(self, job: ProgramJob) -> RunResult:
        """Runs a program on the server.

        Raises:
            InfraError: The server failed three times or gave no usable answer.
            UserError: The server refused the request as malformed.
        """
        return self._run(job.code, job.stdin, job.limits)

    def check(self, job: FunctionJob) -> FunctionResult:
        """Runs asserts here against a candidate on the server; raises like `run`."""
        try:
            prepared = testcode.dumped(job.setup, job.tests, job.entry_point)
        except testcode.UNREADABLE as error:
            return unusable_tests(error)
        return _Session(self, job, prepared).judge()

    def answer(self, code: str, calls: dict[str, Any], limits: Limits) -> RunResult:
        """Runs a candidate on the server with the calls made so far; the last one is answered."""
        stdin = json.dumps({**calls, "code": code})
        return self._run(_DRIVER, stdin, limits, _jail_files())

    def close(self) -> None:
        """Nothing is held between runs."""


class _Session:
    """One candidate's tests: a local tester process whose calls go to the server."""

    def __init__(self, pool: RemotePool, job: FunctionJob, tests: bytes) -> None:
        self._pool, self._job, self._tests = pool, job, tests
        self._requests: list[dict[str, Any]] = []
        self._last: RunResult | None = None
        self._failure: Exception | None = None

    def judge(self) -> FunctionResult:
        ours, theirs = socket.socketpair()
        started = time.monotonic()
        with ours, tempfile.TemporaryFile() as verdict:
            code = _TESTER.format(
                folder=str(Path(__file__).parent),
                calls=theirs.fileno(),
                verdict=verdict.fileno(),
                memory_bytes=(self._job.limits.memory_mib << 20) + _INTERPRETER_BYTES,
            )
            process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-c", code],
                pass_fds=[theirs.fileno(), verdict.fileno()],
                env=ENVIRONMENT,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            theirs.close()
            server = threading.Thread(target=self._serve, args=(ours.fileno(),), daemon=True)
            server.start()
            with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
                process.communicate(self._tests, timeout=_patience(self._job.limits))
            process.kill()
            process.wait()
            ours.shutdown(socket.SHUT_RDWR)
            server.join()
            report = os.pread(verdict.fileno(), 1 << 16, 0)
        if self._failure is not None:
            raise self._failure
        return self._result(json.loads(report) if report else None, time.monotonic() - started)

    def _serve(self, descriptor: int) -> None:
        """Answers the tester's calls until it hangs up."""
        try:
            hello = codec.receive(descriptor)
            while True:
                self._requests.append(codec.receive(descriptor))
                calls = {**hello, "requests": self._requests}
                self._last = self._pool.answer(self._job.code, calls, self._job.limits)
                if self._last.ending is not Ending.EXITED or self._last.exit_code:
                    break
                codec.send(descriptor, json.loads(self._last.stdout))
        except (EOFError, OSError, ValueError, RecursionError, codec.CodecError):
            pass  # the tester has ended, or the program wrote what is no answer
        except Exception as error:
            self._failure = error
        with contextlib.suppress(OSError):
            os.set_blocking(descriptor, False)
            socket.socket(fileno=os.dup(descriptor)).shutdown(socket.SHUT_RDWR)

    def _result(self, verdict: Verdict | None, wall_s: float) -> FunctionResult:
        ending, detail = Ending.EXITED, verdict["detail"] if verdict else ""
        if self._last is not None and (verdict is None or verdict["outcome"] == Outcome.GONE):
            ending = self._last.ending
            detail = self._last.stderr.strip().rpartition("\n")[2] or detail
        elif verdict is None:
            ending = Ending.TIMEOUT
        return FunctionResult(
            outcome=Outcome(verdict["outcome"]) if verdict else None,
            ending=ending,
            detail=detail,
            passed=verdict["passed"] if verdict else 0,
            total=verdict["total"] if verdict else 1,
            cpu_s=0.0,
            wall_s=wall_s,
            peak_mib=0.0,
        )


def _patience(limits: Limits) -> float:
    """Seconds for all calls of one candidate: each is a run, and a server may be busy."""
    return 20 * limits.wall + _HTTP_GRACE_S
