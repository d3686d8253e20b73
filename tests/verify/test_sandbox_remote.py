# ruff: noqa: E501 - cases read better on one line
"""The remote pool against a small server that speaks SandboxFusion's protocol."""

from __future__ import annotations

import base64
import http.server
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.verify.code import CodeVerifier, StdioTest
from tracelift_groups.verify.sandbox import InfraError, Limits, ProgramJob
from tracelift_groups.verify.sandbox import remote as remote_module
from tracelift_groups.verify.sandbox.remote import RemotePool
from tracelift_groups.verify.verdict import Verdict


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body))
        if self.server.failures:
            status, answer = self.server.failures.pop(0)
        else:
            status, answer = 200, _run(body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(data)


def _run(body):
    with tempfile.TemporaryDirectory() as folder:
        for name, content in body["files"].items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(base64.b64decode(content))
        Path(folder, "main.py").write_text(body["code"])
        try:
            done = subprocess.run(
                [sys.executable, "main.py"],
                cwd=folder,
                input=body["stdin"],
                capture_output=True,
                text=True,
                timeout=body["run_timeout"],
                check=False,
            )
        except subprocess.TimeoutExpired:
            result = {
                "status": "TimeLimitExceeded",
                "return_code": None,
                "stdout": "",
                "stderr": "",
            }
            return {"status": "Failed", "message": "", "run_result": result}
    result = {
        "status": "Finished",
        "execution_time": 0.1,
        "return_code": done.returncode,
        "stdout": done.stdout,
        "stderr": done.stderr,
    }
    return {"status": "Failed" if done.returncode else "Success", "run_result": result}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(remote_module, "_FIRST_PAUSE_S", 0.01)
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    running.requests, running.failures = [], []
    running.url = f"http://127.0.0.1:{running.server_port}"
    threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def verifier(server):
    return CodeVerifier(runner=RemotePool(server.url), limits=Limits(cpu_s=0.4, memory_mib=300))


_TESTS = [StdioTest("3\n", "9"), StdioTest("4\n", "16")]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("print(int(input()) ** 2)", "pass"),
        ("print(9)", "wrong_answer"),
        ("print(int(input()) ** 2", "compile_error"),
        ("1 / 0", "runtime_error"),
        ("print(9); raise SystemExit(3)", "runtime_error"),
        ("raise MemoryError", "memory"),
        ("while True: pass", "timeout"),
    ],
)
def test_programs(verifier, code, verdict):
    assert str(verifier.stdio(code, _TESTS).verdict) == verdict


def test_the_request_is_the_protocols_and_holds_no_expected_value(server, verifier):
    verifier.stdio("print(1)", [StdioTest("x", "EXPECTED")])
    ((path, body),) = server.requests
    assert path == "/run_code"
    assert body == {
        "code": "print(1)",
        "language": "python",
        "stdin": "x",
        "run_timeout": pytest.approx(1.2),
        "memory_limit_MB": 300,
        "files": {},
    }


@pytest.mark.parametrize(
    ("code", "tests", "verdict"),
    [
        ("def f(x): return x + 1", "assert f(1) == 2\nassert f(2) == 3", "pass"),
        ("print('noise')\ndef f(x): print('more'); return x + 1", "assert f(1) == 2", "pass"),
        ("def f(x): return x", "assert f(1) == 2", "wrong_answer"),
        ("def f(x): x.append(1)", "a = []\nf(a)\nassert a == [1]", "pass"),
        ("n = 0\ndef f():\n    global n; n += 1; return n", "assert f() == 1\nassert f() == 2", "pass"),
        ("def f(x) return x", "assert f(1) == 2", "compile_error"),
        ("def f(x): raise ValueError", "assert f(1) == 2", "runtime_error"),
        ("import os; os._exit(0)", "assert f(1) == 2", "runtime_error"),
        ("def f(x):\n    while True: pass", "assert f(1) == 2", "timeout"),
        ("class E:\n    def __eq__(s, o): return True\ndef f(x): return E()", "assert f(1) == 2", "wrong_answer"),
        ("def f(x): return 1", "assert f(", "sandbox_error"),
    ],
)  # fmt: skip
def test_functions(verifier, code, tests, verdict):
    result = verifier.function(code, tests)
    assert str(result.verdict) == verdict, result.detail


def test_asserts_stay_on_this_side(server, verifier):
    verifier.function("def f(x): return 'EXPECTED'", "assert f(7) == 'EXPEC' + 'TED-VALUE'")
    assert server.requests
    for _, body in server.requests:
        assert "TED-VALUE" not in json.dumps(body)


def test_what_a_candidate_prints_is_data_not_a_verdict(verifier):
    code = """
import os
for d in range(1, 20):
    try: os.write(d, b'{"root": true, "nodes": [], "changed": {}, "callable": false}')
    except OSError: pass
os._exit(0)
"""
    assert verifier.function(code, "assert f(1) == 2").verdict is not Verdict.PASS


def test_an_answer_nested_too_deeply_is_the_programs_failure(verifier):
    code = "import os\nfor d in range(1, 20):\n    try: os.write(d, b'[' * 60000)\n    except OSError: pass\nos._exit(0)"
    assert verifier.function(code, "assert f(1) == 2").verdict is Verdict.RUNTIME_ERROR


_GOOD = {"status": "Success", "run_result": {"status": "Finished", "return_code": 0, "stdout": "9"}}


@pytest.mark.parametrize(
    "failure",
    [
        (500, {}),
        (429, {}),
        (200, b"not json"),
        (200, {"status": "SandboxError", "message": "pod lost"}),
        (200, {"status": "SandboxError", "run_result": {"status": "Error"}}),
        (200, {"status": "Success"}),
        (200, []),
    ],
)
def test_the_servers_own_failures_are_retried_then_invalid(server, verifier, failure):
    server.failures = [failure, failure, (200, _GOOD)]
    assert verifier.stdio("print(9)", _TESTS[:1]).verdict is Verdict.PASS
    server.failures = [failure] * 3
    result = verifier.stdio("print(9)", _TESTS[:1])
    assert result.verdict is Verdict.SANDBOX_ERROR
    assert not result.valid
    server.failures = [failure] * 3
    assert (
        verifier.function("def f(): return 1", "assert f() == 1").verdict is Verdict.SANDBOX_ERROR
    )


@pytest.mark.parametrize(
    "run",
    [{"status": "Error", "return_code": 0, "stdout": "9"}, {"status": "Finished", "stdout": "9"}],
)
def test_a_run_without_a_usable_end_is_invalid(server, run):
    server.failures = [(200, {"status": "Success", "run_result": run})]
    with pytest.raises(InfraError):
        RemotePool(server.url).run(ProgramJob("print(9)"))


def test_a_server_that_does_not_understand_is_the_users_mistake(server, verifier):
    server.failures = [(404, {})]
    with pytest.raises(UserError, match="404"):
        verifier.stdio("print(9)", _TESTS)


def test_nobody_listening_is_invalid(monkeypatch):
    monkeypatch.setattr(remote_module, "_FIRST_PAUSE_S", 0.01)
    verifier = CodeVerifier(runner=RemotePool("http://127.0.0.1:9"))
    assert verifier.stdio("print(9)", _TESTS).verdict is Verdict.SANDBOX_ERROR


def test_an_address_that_is_none():
    with pytest.raises(UserError, match="http://"):
        RemotePool("sandbox:8080")
