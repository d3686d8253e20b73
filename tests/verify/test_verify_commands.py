"""`tlg verify` and `tlg doctor`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tracelift_groups.commands import doctor, verify
from tracelift_groups.errors import UserError
from tracelift_groups.verify import batch
from tracelift_groups.verify.sandbox import SandboxUnavailableError, host

pytest.importorskip("math_verify")

_MATH = {"id": "m", "domain": "math", "reply": "\\boxed{72}", "answer": "72"}
_STDIO = {
    "id": 2,
    "domain": "code",
    "reply": "```python\nprint(int(input()) ** 2)\n```",
    "tests": [{"input": "3\n", "output": "9\n"}, {"input": "4\n", "output": "15\n"}],
}
_FUNCTION = {
    "id": "f",
    "domain": "code",
    "reply": "def add(a, b):\n    return a + b",
    "test_code": "def check(candidate):\n    assert candidate(1, 2) == 3",
    "entry_point": "add",
    "setup": "import math",
}


def _verify(tmp_path, lines, *options):
    source, target = tmp_path / "replies.jsonl", tmp_path / "verdicts.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source.write_text("\n".join(texts) + "\n")
    arguments = [str(source), "-o", str(target), *options]
    result = CliRunner().invoke(verify.command, arguments, catch_exceptions=False)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    return result, rows


def test_rows_of_every_kind(tmp_path):
    result, rows = _verify(tmp_path, [_MATH, _STDIO, _FUNCTION])
    assert result.exit_code == 0
    assert [list(row) for row in rows] == [
        ["id", "verdict", "valid", "passed", "total", "detail"]
    ] * 3
    assert [(r["id"], r["verdict"], r["valid"], r["passed"], r["total"]) for r in rows] == [
        ("m", "pass", True, 1, 1),
        (2, "wrong_answer", True, 1, 2),
        ("f", "pass", True, 1, 1),
    ]
    assert rows[1]["detail"] == "test 2: token 1: expected '15', got '16'"
    assert "3 rows: pass 2, wrong_answer 1; invalid 0" in result.stdout
    assert "seccomp" in result.stdout


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("not json", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ({"id": "x", "domain": "maths"}, "field domain"),
        ({"domain": "math", "reply": "", "answer": ""}, "field id"),
        ({**_MATH, "extra": 1}, "field extra"),
        ({**_MATH, "answer": 5}, "field answer"),
        ({"id": 1, "domain": "code", "reply": "x"}, "field tests"),
        ({**_STDIO, "tests": [{"input": "x"}]}, "field tests.0.output"),
        ({**_STDIO, "test_code": "assert 1"}, "field tests"),
        ({**_FUNCTION, "test_code": None}, "field test_code"),
    ],
)
def test_bad_rows_are_named_and_kept_in_place(tmp_path, line, field):
    result, rows = _verify(tmp_path, [_MATH, line, _MATH])
    assert result.exit_code == 0
    assert [row["valid"] for row in rows] == [True, False, True]
    where = f"{tmp_path / 'replies.jsonl'}:2: "
    assert rows[1]["detail"].startswith(where + field)
    assert rows[1]["verdict"] == "sandbox_error"
    complaints = [text for text in result.stderr.splitlines() if text.startswith(where)]
    assert len(complaints) == 1


def test_a_bad_row_keeps_its_id(tmp_path):
    _, rows = _verify(tmp_path, [{"id": "kept", "domain": "math"}])
    assert rows[0]["id"] == "kept"


def test_output_is_in_input_order_whatever_finishes_first(tmp_path):
    def row(number):
        code = f"import time; time.sleep({0.1 if number % 4 == 0 else 0}); print({number})"
        tests = [{"input": "", "output": str(number)}]
        return {"id": number, "domain": "code", "reply": code, "tests": tests}

    _, rows = _verify(tmp_path, [row(i) for i in range(30)], "--workers", "2")
    assert [row["id"] for row in rows] == list(range(30))
    assert {row["verdict"] for row in rows} == {"pass"}


def test_json_summary(tmp_path):
    result, _ = _verify(tmp_path, [_MATH, "x"], "--json")
    summary = json.loads(result.stdout)
    assert summary == {
        "rows": 2,
        "invalid": 1,
        "verdicts": {"pass": 1, "sandbox_error": 1},
        "isolation": "",
    }


def test_a_missing_or_empty_file_is_the_users_mistake(tmp_path):
    target = tmp_path / "out.jsonl"
    runner = CliRunner()
    with pytest.raises(UserError, match="no such file"):
        runner.invoke(
            verify.command, [str(tmp_path / "none"), "-o", str(target)], catch_exceptions=False
        )
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    with pytest.raises(UserError, match="no rows"):
        runner.invoke(verify.command, [str(empty), "-o", str(target)], catch_exceptions=False)
    with pytest.raises(UserError, match="no such folder"):
        runner.invoke(
            verify.command,
            [str(empty), "-o", str(tmp_path / "a" / "b")],
            catch_exceptions=False,
        )
    assert not target.exists()
    assert list(tmp_path.iterdir()) == [empty]


def test_no_output_is_left_when_programs_cannot_be_isolated(tmp_path, monkeypatch):
    mac = host.Host("Darwin", "arm64", "23.0", 0)
    monkeypatch.setattr(host, "describe", lambda: mac)
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps(_FUNCTION))
    with pytest.raises(SandboxUnavailableError, match="Linux only"):
        CliRunner().invoke(verify.command, [str(source), "-o", str(target)], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == [source]


def test_mathematics_needs_no_sandbox(tmp_path, monkeypatch):
    mac = host.Host("Darwin", "arm64", "23.0", 0)
    monkeypatch.setattr(host, "describe", lambda: mac)
    _, rows = _verify(tmp_path, [_MATH])
    assert rows[0]["verdict"] == "pass"


def test_unsafe_execution_is_passed_on(tmp_path, monkeypatch):
    seen = {}

    class Verifier:
        isolation = "none"

        def __init__(self, workers, *, unsafe, runner):
            seen.update(workers=workers, unsafe=unsafe, runner=runner)

        def function(self, *_, **__):
            return batch.Result("pass", 1, 1)

        def close(self):
            pass

    monkeypatch.setattr("tracelift_groups.verify.code.CodeVerifier", Verifier)
    _verify(tmp_path, [_FUNCTION], "--unsafe-local-exec", "--workers", "3")
    assert seen == {"workers": 3, "unsafe": True, "runner": None}
    _verify(tmp_path, [_FUNCTION], "--sandbox-url", "http://x")
    assert type(seen["runner"]).__name__ == "RemotePool"


@pytest.mark.parametrize("module", [verify, doctor])
def test_help_has_an_example(module):
    result = CliRunner().invoke(module.command, ["--help"])
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"tlg {module.command.name}" in result.stdout


def test_the_help_example_runs(tmp_path):
    lines = CliRunner().invoke(verify.command, ["--help"]).stdout.splitlines()
    echo = next(line.strip() for line in lines if line.strip().startswith("echo "))
    subprocess.run(["sh", "-c", echo], cwd=tmp_path, check=True)
    source, target = tmp_path / "replies.jsonl", tmp_path / "verdicts.jsonl"
    result = CliRunner().invoke(verify.command, [str(source), "-o", str(target)])
    assert result.exit_code == 0, result.output
    assert json.loads(target.read_text())["verdict"] == "pass"


@pytest.mark.parametrize("name", ["verify", "doctor"])
def test_commands_load_fast(name):
    """Their modules are imported by `tlg --help`."""
    code = (
        f"import sys, tracelift_groups.commands.{name}; "
        "heavy = {'pydantic', 'torch', 'sympy', 'math_verify', 'numpy', 'subprocess', 'asyncio'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_doctor():
    result = CliRunner().invoke(doctor.command, ["--json"], catch_exceptions=False)
    report = json.loads(result.stdout)
    assert set(report) == {"python", "system", "sandbox", "packages", "gpus", "hub", "endpoint"}
    assert report["endpoint"] is None
    assert set(report["sandbox"]["layers"]) == {"landlock", "seccomp", "namespaces"}
    assert report["packages"]["math_verify"]
    assert report["hub"] == ""
    assert bool(report["sandbox"]["tier"]) != bool(report["sandbox"]["refusal"])


def test_doctor_for_people_on_an_unsupported_machine(monkeypatch):
    monkeypatch.setattr(host, "describe", lambda: host.Host("Darwin", "arm64", "23.0", 0))
    result = CliRunner().invoke(doctor.command, [], catch_exceptions=False)
    assert result.exit_code == 0
    assert "REFUSED" in result.stdout
    assert "Linux only" in result.stdout
    assert "not asked" in result.stdout


def test_doctor_asks_the_hub_when_told_to(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = CliRunner().invoke(doctor.command, ["--hub", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["hub"].startswith("no: ")
