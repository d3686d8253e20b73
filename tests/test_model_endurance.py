"""Builds with a model under faults, kills, signals and limits: nothing lost, nothing paid twice.

The build is a process of its own; the scripted model's server runs in a thread of the test, which
reads what reached it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from tests.conftest import GSM8K_TRAIN, run_bytes
from tests.llm.fake_server import Call, FakeServer, Send, running_server
from tests.llm.scripted_server import running_scripted
from tracelift_groups.llm.probe import probe_request
from tracelift_groups.llm.redaction import REDACTED
from tracelift_groups.llm.request import Request
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.llm.scripted.completions import completion, read_request
from tracelift_groups.llm.scripted.endpoint import Behaviour
from tracelift_groups.llm.scripted.faults import Faults
from tracelift_groups.llm.scripted.stats import Stats
from tracelift_groups.llm.wire import Dialect

MODEL = "--engine llm --reference generate --rubric judge --model scripted".split()
KEY = "sk-planted-0123456789abcdef/+=x"
ALL_FAULTS = {*Faults().transport, *Faults().content}


class Build:
    """One ``tlg build`` command, given again and again."""

    def __init__(self, url: str, out: Path, *more: object) -> None:
        self.out = out
        self.command = [sys.executable, "-m", "tracelift_groups", "build", *MODEL]
        self.command += ["--base-url", url, "--out", str(out), *map(str, more)]

    def start(self, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        )

    def run(self, **env: str) -> Ended:
        with self.start(**env) as process:
            stdout, stderr = process.communicate(timeout=600)
        return Ended(process.returncode, stdout, stderr)

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "manifest.json").read_text())
        return found

    @property
    def files(self) -> dict[str, bytes]:
        """What the build is for: everything but the store of answers."""
        found = run_bytes(self.out)
        return {name: data for name, data in found.items() if not name.startswith("requests")}

    def stored(self) -> list[str]:
        """The requests whose answers are stored, by the server's keys."""
        path = self.out / "requests.sqlite"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as db:
            try:
                rows = db.execute("SELECT key FROM calls").fetchall()
            except sqlite3.OperationalError:  # killed before the tables were there
                return []
        return [SERVED[int(key[:7], 16)] for (key,) in rows]


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The one line that was said."""
        (line,) = self.stderr.strip().splitlines()
        return line


SERVED: dict[int, str] = {}
"""The server's key of each request, by the seed that it carries: the start of the client's key."""


class Noting(ScriptedModel):
    """Notes under which keys the server counts what it is asked."""

    def text(self, request: Request) -> str:
        assert SERVED.setdefault(request.sample, request.key) == request.key
        return super().text(request)


def probe_key() -> str:
    """The server's key of the probe of schemas, whose reply is stored as a fact."""
    probe = probe_request("scripted", "chat")
    return read_request(Dialect().body(probe), probe.api).key


@contextmanager
def serving(seeds: Path | None = None, **behaviour: Any) -> Iterator[tuple[str, Stats]]:
    with running_scripted(Noting(seeds), Behaviour(**behaviour)) as served:
        yield served.base_url, served.stats


def sample(limit: int) -> list[object]:
    return ["--source", "sample", "--limit", limit]


def built(out: Path, *source: object) -> dict[str, bytes]:
    """What an undisturbed build gives."""
    with serving() as (url, _):
        build = Build(url, out, *source)
        done = build.run()
        assert done.status == 0, done.stderr
        return build.files


# Faults


def check_totals(build: Build, seeds: int, stats: Stats) -> None:
    counts, spent = build.manifest["counts"], build.manifest["spent"]
    tables = [pq.read_table(path) for path in (build.out / "groups").glob("*.parquet")]
    groups = [row for table in tables for row in table.to_pylist()]
    rejected = [json.loads(line) for line in (build.out / "rejected.jsonl").open()]
    drafts = [json.loads(line) for line in (build.out / "rejected_traces.jsonl").open()]
    assert counts["seeds_read"] == seeds == len(groups) + len(rejected)
    assert (counts["groups"], counts["rejected"]) == (len(groups), len(rejected))
    ids = {row["group_id"] for row in groups} | {row["seed_id"] for row in rejected}
    assert len(ids) == seeds
    assert counts["by_rejection_reason"] == Counter(row["reason"] for row in rejected)
    assert all(row["reason"] and row["detail"] for row in rejected)
    by_reason: dict[str, Counter[str]] = {}
    for draft in drafts:
        by_reason.setdefault(draft["kind"] or draft["role"], Counter())[draft["reason"]] += 1
    assert counts["rejected_traces"] == by_reason
    assert len(groups) >= 0.7 * seeds  # most faults are got over
    # Every call that the run rests on was answered once, and nothing else was: the server's
    # count, without the probe of schemas, is the run's.
    probes = stats.answered[probe_key()]
    assert sum(stats.answered.values()) - probes == spent["model_calls"]
    assert len(build.stored()) == spent["model_calls"]
    assert stats.repeated == probes - 1
    assert 0 <= stats.input_tokens + stats.output_tokens - spent["tokens"] <= probes * 100
    assert stats.faults.total() > 0.2 * stats.received.total()


def test_faults_of_all_kinds(tmp_path: Path) -> None:
    faults = Faults(0.3, retry_after_s=0.02, seed=3)
    with serving(faults=faults) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(16), "--timeout", 0.5)
        done = build.run()
        assert done.status == 0, done.stderr
        assert done.stderr == ""
        assert set(stats.faults) == ALL_FAULTS
        check_totals(build, 16, stats)


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not GSM8K_TRAIN.is_file(), reason="no ../shared/data")
def test_faults_of_all_kinds_and_300_seeds(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.jsonl"
    with GSM8K_TRAIN.open() as rows:
        seeds.write_text("".join(next(rows) for _ in range(300)))
    with serving(seeds, faults=Faults(0.3, retry_after_s=0.2)) as (url, stats):
        build = Build(url, tmp_path / "run", "--source", "gsm8k", "--seeds", seeds, "--timeout", 2)
        done = build.run()
        assert done.status == 0, done.stderr
        assert set(stats.faults) == ALL_FAULTS
        check_totals(build, 300, stats)
        print(done.stdout, stats.received.total(), stats.faults)


@pytest.mark.parametrize("seeds", [10, pytest.param(80, marks=pytest.mark.slow)])
def test_faults_of_transport_leave_no_trace(tmp_path: Path, seeds: int) -> None:
    want = built(tmp_path / "want", *sample(seeds))
    faults = Faults(0.3, content=(), retry_after_s=0.02, seed=5)
    with serving(faults=faults) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(seeds), "--timeout", 0.5)
        done = build.run()
        assert done.status == 0, done.stderr
        assert set(stats.faults) == set(Faults().transport)
        assert stats.repeated == 0
    assert build.files == want


# Kills and signals


class Moment(NamedTuple):
    """When to end a build: in some phase, so long after it began."""

    phase: str
    after_s: float


def wait_for(moment: Moment, process: subprocess.Popen[str], build: Build, stats: Stats) -> None:
    """Wait until the moment has come, or the build has ended."""
    received = stats.received.total()
    journal = build.out / "journal.jsonl"
    seeds = int(build.command[build.command.index("--limit") + 1])

    def begun() -> bool:
        if moment.phase == "asking":
            return stats.received.total() > received
        if moment.phase == "writing":
            return journal.exists() and journal.read_bytes().count(b"\n") > seeds
        return True

    while process.poll() is None and not begun():
        time.sleep(0.002)
    time.sleep(moment.after_s)


def settled(stats: Stats) -> None:
    """Wait until what was on the wire has reached the server."""
    before = -1
    while stats.in_flight or stats.received.total() != before:
        before = stats.received.total()
        time.sleep(0.1)


def killed_and_resumed(
    tmp_path: Path, seeds: int, moments: list[Moment], concurrency: int, latency_s: float
) -> None:
    want = built(tmp_path / "want", *sample(seeds))
    probe = probe_key()
    killed = 0
    before: Counter[str] = Counter()
    known: Counter[str] = Counter()  # how often a request was received when its answer was stored
    with serving(latency_s=latency_s) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(seeds), "--concurrency", concurrency)
        for moment in moments:
            with build.start() as process:
                wait_for(moment, process, build, stats)
                killed += process.poll() is None
                process.kill()
            settled(stats)
            stored = set(build.stored())
            for key in stored:
                known.setdefault(key, stats.received[key])
            assert all(known.values())
            # What was answered now and is not stored was on the wire: no more than was under way.
            answered_now = {key for key, times in stats.answered.items() if times > before[key]}
            assert len(answered_now - stored - {probe}) <= concurrency
            before = Counter(stats.answered)
        assert killed == len(moments)
        middle = stats.received.total()
        done = build.run()
        assert done.status == 0, done.stderr
        assert {key: stats.received[key] for key in known} == known
        # A command that ends by itself has no answer on the wire.
        assert set(stats.answered) - {probe} == set(build.stored())
        asked_again = sum(count > 1 for key, count in stats.answered.items() if key != probe)
        assert asked_again <= killed * concurrency
        print(
            f"{killed} kills; {len(known)} answers were stored before the last command, none was "
            f"asked for again; {asked_again} of {len(stats.answered)} requests were answered "
            f"twice, having been on the wire; {middle} calls before the last command of "
            f"{stats.received.total()}"
        )
    assert build.files == want


def test_killed_and_resumed(tmp_path: Path) -> None:
    draw = random.Random(1)
    moments = [Moment("asking", draw.uniform(0, 0.4)) for _ in range(3)]
    killed_and_resumed(tmp_path, 20, moments, concurrency=8, latency_s=0.05)


@pytest.mark.slow
def test_killed_at_20_moments_and_resumed(tmp_path: Path) -> None:
    draw = random.Random(20)
    moments = [Moment("starting", draw.uniform(0, 1)) for _ in range(3)]
    moments += [Moment("asking", draw.uniform(0, 0.5)) for _ in range(14)]
    draw.shuffle(moments)
    moments += [Moment("writing", draw.uniform(0, 0.3)) for _ in range(3)]
    killed_and_resumed(tmp_path, 80, moments, concurrency=16, latency_s=0.1)


@pytest.mark.parametrize(
    "times", [1, pytest.param(6, marks=pytest.mark.slow)], ids=["once", "six times"]
)
@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_told_to_end(tmp_path: Path, number: int, status: int, word: str, times: int) -> None:
    seeds, draw = (40, random.Random(number)) if times > 1 else (12, random.Random(number))
    want = built(tmp_path / "want", *sample(seeds))
    probe = probe_key()
    with serving(latency_s=0.15) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(seeds), "--concurrency", 16)
        for _ in range(times):
            with build.start() as process:
                moment = Moment("asking", draw.uniform(0.05, 0.4))
                wait_for(moment, process, build, stats)
                process.send_signal(number)
                stdout, stderr = process.communicate(timeout=30)
            ended = Ended(process.returncode, stdout, stderr)
            assert (ended.status, ended.stdout) == (status, "")
            assert ended.line == (
                f"tlg: {word}; what was finished is kept, the same command goes on"
            )
            # What was under way has been waited for: each answer of the server is stored.
            stored = set(build.stored())
            assert set(stats.answered) - {probe} == stored
            assert sum(stats.received.values()) == sum(stats.answered.values())
        assert stored
        done = build.run()
        assert done.status == 0, done.stderr
        assert stats.repeated == 0
    assert build.files == want


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_while_nothing_comes(tmp_path: Path, number: int) -> None:
    with serving(latency_s=60) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(12))
        with build.start() as process:
            wait_for(Moment("asking", 0.2), process, build, stats)
            started = time.monotonic()
            process.send_signal(number)
            _, stderr = process.communicate(timeout=30)
        assert time.monotonic() - started < 10
        assert len(stderr.strip().splitlines()) == 1


# The key


class Echo(ScriptedModel):
    """Says the key in every reply."""

    def text(self, request: Request) -> str:
        text = super().text(request)
        if request.schema is None:
            return f"{text}\n{KEY}"
        values = json.loads(text)
        for name, value in values.items():
            if isinstance(value, dict) and "reason" in value:
                value["reason"] += f" {KEY}"
            elif name == "reasoning" and int(request.key[:2], 16) % 3 == 0:
                values[name] = f"{value}\n{KEY}"
        return json.dumps(values)


def all_texts(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a run, as it is and unpacked."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        yield path.name, path.read_bytes()
        if path.suffix == ".sqlite":
            with closing(sqlite3.connect(path)) as db:
                for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
                    for row in db.execute(f"SELECT * FROM {table}"):
                        for value in row:
                            data = zlib.decompress(value) if isinstance(value, bytes) else value
                            yield path.name, data if isinstance(data, bytes) else str(data).encode()
        if path.suffix == ".parquet":
            yield path.name, json.dumps(pq.read_table(path).to_pylist()).encode()


def check_no_key(build: Build, *ended: Ended) -> None:
    texts = list(all_texts(build.out)) if build.out.exists() else []
    texts += [("stdout and stderr", (one.stdout + one.stderr).encode()) for one in ended]
    for form in (KEY, json.dumps(KEY)[1:-1], KEY.replace("/", "%2F"), KEY[3:-4]):
        assert not [name for name, text in texts if form.encode() in text]


def command_lines() -> Iterator[bytes]:
    """What ``ps`` shows."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:  # it has ended
            continue


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OTHER_KEY"])
def test_the_key_is_nowhere(tmp_path: Path, variable: str) -> None:
    behaviour = Behaviour(api_key=KEY, faults=Faults(0.1, retry_after_s=0.02))
    with running_scripted(Echo(), behaviour) as served:
        build = Build(served.base_url, tmp_path / "run", *sample(8), "--timeout", 0.5)
        build.command += ["--api-key-env", variable]
        shown = []
        with build.start(**{variable: KEY, "OPENAI_LOG": "debug"}) as process:
            reader = threading.Thread(target=lambda: shown.extend(process.communicate()))
            reader.start()
            while reader.is_alive():
                assert not [line for line in command_lines() if KEY.encode() in line]
                time.sleep(0.1)
        ended = Ended(process.returncode, *shown)
        assert ended.status == 0, ended.stderr
        assert "HTTP Request" in ended.stderr  # it was talkative
        check_no_key(build, ended)
        groups = b"".join(text for name, text in all_texts(build.out) if name == "train.parquet")
        assert REDACTED.encode() in groups  # it was said back, and stored without


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc")
def test_the_key_would_be_seen(tmp_path: Path) -> None:
    """The checks above find a key where there is one."""
    command = [sys.executable, "-c", "import time; time.sleep(20)", KEY]
    with subprocess.Popen(command) as process:
        time.sleep(0.5)
        seen = [line for line in command_lines() if KEY.encode() in line]
        process.kill()
    assert seen
    build = Build("http://nowhere", tmp_path)
    with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as db:
        db.execute("CREATE TABLE calls (answer)")
        db.execute("INSERT INTO calls VALUES (?)", (zlib.compress(b"x" * 999 + KEY.encode()),))
        db.commit()
    with pytest.raises(AssertionError):
        check_no_key(build)


@pytest.mark.slow
def test_the_key_is_not_in_batches(tmp_path: Path) -> None:
    with running_scripted(Echo(), Behaviour(api_key=KEY, batch_polls=0)) as served:
        build = Build(served.base_url, tmp_path / "run", *sample(4), "--batch")
        for number in count():
            ended = build.run(OPENAI_API_KEY=KEY, OPENAI_LOG="debug")
            assert ended.status in (0, 1), ended.stderr[-500:]
            check_no_key(build, ended)
            if ended.status == 0:
                break
            assert number < 60
        assert REDACTED.encode() in b"".join(text for _, text in all_texts(build.out))


def errors_with_key(call: Call, number: int) -> Send:
    """Every sort of refusal in turn; each says the key."""
    request = read_request(call.body, "chat")
    said = f"the key {KEY} ({call.headers.get('authorization')}) is fine"
    match number % 11:
        case 0:
            return Send({"error": {"message": said}}, 400)
        case 1:
            return Send(said.encode(), 500, {"x-echo": KEY})
        case 2:
            return Send(said.encode(), 200)
        case 3:
            return Send({"error": {"message": said, "code": "content_filter"}}, 400)
        case 4:
            return Send({"error": {"message": said}}, 429, {"retry-after": "0", "x-echo": KEY})
    return Send(completion(request, 1, Echo().text, None), 200, {"x-echo": KEY})


FATAL: dict[str, Callable[[Call], Send]] = {
    "401": lambda _: Send({"error": {"message": f"wrong: {KEY}"}}, 401),
    "500": lambda _: Send(f"down: {KEY}".encode(), 500),
}


@pytest.fixture
def echoing() -> Iterator[FakeServer]:
    with running_server() as server:
        yield server


def test_the_key_is_in_no_error_that_is_recorded(tmp_path: Path, echoing: FakeServer) -> None:
    numbers = count()
    echoing.script = lambda call: errors_with_key(call, next(numbers))
    build = Build(echoing.url, tmp_path / "run", *sample(4), "--attempts", 2)
    ended = build.run(OPENAI_API_KEY=KEY, OPENAI_LOG="debug")
    assert ended.status == 0, ended.stderr
    check_no_key(build, ended)
    assert REDACTED.encode() in b"".join(text for _, text in all_texts(build.out))


@pytest.mark.parametrize("batch", [False, True], ids=["calls", "batch"])
@pytest.mark.parametrize("error", ["401", pytest.param("500", marks=pytest.mark.slow)])
def test_the_key_is_in_no_error_that_ends_it(
    tmp_path: Path, echoing: FakeServer, error: str, batch: bool
) -> None:
    echoing.script = FATAL[error]
    build = Build(echoing.url, tmp_path / "run", *sample(2), "--attempts", 1)
    build.command += ["--batch"] if batch else []
    ended = build.run(OPENAI_API_KEY=KEY)
    assert ended.status == 2
    assert ended.line.startswith("tlg: ")
    check_no_key(build, ended, build.run(OPENAI_API_KEY=KEY, OPENAI_LOG="debug"))


def test_the_key_is_in_no_traceback(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tracelift_groups import cli, work\n"
        "def broken(*arguments):\n"
        "    raise RuntimeError(f'broken on purpose: {arguments}')\n"
        "work.journal_line = broken\n"
        "cli.main(sys.argv[1:])\n"
    )
    with running_scripted(Echo(), Behaviour(api_key=KEY)) as served:
        build = Build(served.base_url, tmp_path / "run", *sample(4))
        build.command[1:3] = ["-c", script]
        ended = build.run(OPENAI_API_KEY=KEY, OPENAI_LOG="debug", PYTHONASYNCIODEBUG="1")
    assert ended.status == 1
    assert "RuntimeError: broken on purpose" in ended.stderr
    check_no_key(build, ended)


# Limits


INPUT_USD, OUTPUT_USD = 2.0, 8.0


def usd(input_tokens: int, output_tokens: int) -> float:
    return (INPUT_USD * input_tokens + OUTPUT_USD * output_tokens) / 1e6


def costs(build: Build) -> list[float]:
    """What each stored answer cost, in the order in which they came."""
    with closing(sqlite3.connect(build.out / "requests.sqlite")) as db:
        rows = db.execute("SELECT input_tokens, output_tokens FROM calls ORDER BY rowid").fetchall()
    return [usd(*row) for row in rows]


def spent_usd(stats: Stats) -> float:
    return usd(stats.input_tokens, stats.output_tokens)


@pytest.mark.parametrize(
    ("seeds", "limit"), [(4, 0.04), pytest.param(40, 0.1, marks=pytest.mark.slow)]
)
def test_max_cost_is_passed_by_no_more_than_is_under_way(
    tmp_path: Path, seeds: int, limit: float
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(f"models: {{scripted: {{input: {INPUT_USD}, output: {OUTPUT_USD}}}}}")
    concurrency = 8
    with serving() as (url, _):
        plain = Build(url, tmp_path / "want", *sample(seeds), "--prices", prices)
        assert plain.run().status == 0
    with serving(latency_s=0.03) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(seeds), "--prices", prices)
        build.command += ["--concurrency", str(concurrency), "--max-cost", str(limit)]
        stops = stored = 0
        spent, beyond = 0.0, []
        while (ended := build.run()).status == 1:
            stops += 1
            assert ended.line.startswith(f"tlg: --max-cost {limit:g} is reached: ")
            assert ended.line.endswith("the same command goes on from there")
            assert ended.stdout == ""
            each = costs(build)[stored:]
            probe = max(0.0, spent_usd(stats) - spent - sum(each))
            total, late = probe, 0
            for cost in each:
                late += total >= limit
                total += cost
            assert late <= concurrency - 1
            assert total == pytest.approx(spent_usd(stats) - spent)
            assert limit <= total <= limit + concurrency * max(each)
            beyond.append(total - limit)
            stored, spent = stored + len(each), spent_usd(stats)
            assert stops < 60
        assert ended.status == 0, ended.stderr
        assert stops >= 2
        assert stats.repeated == 0
    assert build.files == plain.files
    print(f"{stops} stops at {limit} USD, beyond it by {[round(one, 5) for one in beyond]}")


@pytest.mark.parametrize(
    ("seeds", "limit"), [(4, 37), pytest.param(40, 101, marks=pytest.mark.slow)]
)
def test_max_calls_is_not_passed(tmp_path: Path, seeds: int, limit: int) -> None:
    want = built(tmp_path / "want", *sample(seeds))
    faults = Faults(0.15, content=(), retry_after_s=0.02)
    with serving(latency_s=0.02, faults=faults) as (url, stats):
        build = Build(url, tmp_path / "run", *sample(seeds), "--timeout", 0.5)
        build.command += ["--max-calls", str(limit)]
        stops = received = 0
        while (ended := build.run()).status == 1:
            stops += 1
            assert ended.line.startswith(f"tlg: --max-calls {limit} is reached: {limit} calls")
            assert ended.stdout == ""
            settled(stats)
            assert stats.received.total() - received == limit
            received = stats.received.total()
            assert stops < 60
        assert ended.status == 0, ended.stderr
        assert stops >= 2
        assert stats.repeated == 0
    assert build.files == want
