"""Turns seeds into journal lines: by rule in some processes, or with a model, many at a time."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tracelift_groups import store
from tracelift_groups.errors import GateError, Terminated
from tracelift_groups.groups import MODEL_UNAVAILABLE, Made, group_stage
from tracelift_groups.llm.account import Account
from tracelift_groups.llm.asking import Asks, Tally, metered, unasked
from tracelift_groups.llm.cache import Cache
from tracelift_groups.llm.driver import AsksAll, run
from tracelift_groups.llm.opening import Script, open_model
from tracelift_groups.llm.session import Session
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.perturb.code.runs import Sandbox
from tracelift_groups.plan import Plan
from tracelift_groups.records import Group, Rejected, Seed

if TYPE_CHECKING:
    from tracelift_groups.llm.batch import BatchReport

_BATCH_WIDTH = 8  # seeds under way where every answer is there, or is not
_SCRIPTED_WIDTH = 8  # seeds under way with a model that answers within the step
Outcome = tuple[Made, dict[str, Tally]]


class BatchPending(GateError):  # noqa: N818 - it is pending
    """A batch is not done yet: the same command, given later, collects it."""


@dataclass(frozen=True)
class Job:
    """All that a seed's group depends on, besides the seed; plain data, sent to other processes."""

    plan: Plan = field(default_factory=Plan)
    run_seed: int = 0
    sandbox: Sandbox = field(default_factory=Sandbox)

    def stage(self, seed: Seed) -> Asks[Outcome]:
        """The stage of one seed, with an account of what it asks."""
        return metered(group_stage(seed, self.plan, self.run_seed, self.sandbox))

    def lines(self, seeds: list[Seed]) -> list[str]:
        """The journal lines of seeds, made by rule."""
        return [journal_line(seed, unasked(self.stage(seed))) for seed in seeds]


def journal_line(seed: Seed, outcome: Outcome) -> str:
    """Write what became of a seed."""
    made, tallies = outcome
    spent = {model: asdict(tally) for model, tally in tallies.items()}
    return store.journal_line(seed.seed_id, made.result, made.rejected, spent)


def one_by_one(
    items: Iterable[Seed | Rejected], job: Job, model: ModelSettings | Script | None
) -> Iterator[Group | Rejected]:
    """Make one group after the other, for somebody who looks at each."""
    if model is None:
        for item in items:
            yield item if isinstance(item, Rejected) else unasked(job.stage(item))[0].result
        return
    with asyncio.Runner() as runner:
        session = runner.run(_opened(model, job.plan.models))
        try:
            for item in items:
                yield item if isinstance(item, Rejected) else runner.run(_one(item, job, session))
        finally:
            runner.run(session.__aexit__(None, None, None))


async def _opened(model: ModelSettings | Script, names: tuple[str, ...]) -> Session:
    return open_model(model, names)


async def _one(seed: Seed, job: Job, session: Session) -> Group | Rejected:
    made: list[Group | Rejected] = []
    await run(
        [seed],
        job.stage,
        session,
        width=1,
        on_result=lambda _, outcome: made.append(outcome[0].result),
    )
    return made[0]


async def ask_for_groups(
    seeds: Iterable[Seed],
    job: Job,
    session: AsksAll,
    *,
    width: int,
    threads: int,
    on_line: Callable[[str], None],
) -> int:
    """Make groups with a model, up to ``width`` of them at a time.

    Seeds for which the endpoint gave no answer are tried once more in the end.

    Args:
        seeds: What to work on.
        job: How.
        session: Where answers come from.
        width: Seeds under way.
        threads: Threads for the steps between the calls; 0 where these are short.
        on_line: Told the journal line of each finished seed.

    Returns:
        How many seeds wait for answers that come another time.
    """
    again: list[Seed] = []

    def told(seed: Seed, outcome: Outcome) -> None:
        result = outcome[0].result
        if isinstance(result, Rejected) and result.reason == MODEL_UNAVAILABLE:
            again.append(seed)
        else:
            on_line(journal_line(seed, outcome))

    waiting = await run(seeds, job.stage, session, width=width, on_result=told, threads=threads)
    second = list(again)
    return waiting + await run(
        second,
        job.stage,
        session,
        width=width,
        on_result=lambda seed, outcome: on_line(journal_line(seed, outcome)),
        threads=threads,
    )


def ask_now(
    seeds: Iterable[Seed],
    job: Job,
    model: ModelSettings | Script,
    *,
    threads: int,
    on_line: Callable[[str, Account], None],
) -> None:
    """Make groups with a model that answers at once, and keep as many calls under way as it takes.

    Raises:
        BudgetSpent: A limit is reached; what was answered is stored.
        UserError: Something is to be mended, or the endpoint is down.
        Terminated: SIGTERM came; as for Ctrl-C, answers that come within seconds are stored.
    """
    width = model.concurrency if isinstance(model, ModelSettings) else _SCRIPTED_WIDTH

    async def ask() -> None:
        with _terminable():
            async with open_model(model, job.plan.models) as session:
                await ask_for_groups(
                    seeds,
                    job,
                    session,
                    width=width,
                    threads=threads,
                    on_line=lambda line: on_line(line, session.account),
                )

    asyncio.run(ask())


@contextmanager
def _terminable() -> Iterator[None]:
    """Cancel the current task on SIGTERM, and tell that from any other cancellation."""
    task = asyncio.current_task()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    loop = asyncio.get_running_loop()
    told = False

    def end() -> None:
        nonlocal told
        told = True
        task.cancel()

    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        yield
    except asyncio.CancelledError:
        if told:
            raise Terminated from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def ask_in_batches(
    seeds: Iterable[Seed],
    job: Job,
    model: ModelSettings,
    folder: Path,
    *,
    threads: int,
    on_line: Callable[[str, Account], None],
) -> None:
    """Make the groups whose answers have come, and submit what the others ask.

    Args:
        seeds: What to work on.
        job: How.
        model: Where it is asked; with a cache.
        folder: The run folder, which keeps the record of the batches.
        threads: As for :func:`ask_now`.
        on_line: As there.

    Raises:
        BatchPending: Some seeds wait for answers.
        BudgetSpent: A limit is reached before the next batch.
    """
    from tracelift_groups.llm.batch import BatchSession

    assert model.cache is not None
    with BatchSession(
        model, folder, cache=Cache(model.cache), structured=model.is_openai
    ) as session:
        reports = session.collect()
        waiting = asyncio.run(
            ask_for_groups(
                seeds,
                job,
                session,
                width=_BATCH_WIDTH,
                threads=threads,
                on_line=lambda line: on_line(line, session.account),
            )
        )
        if waiting:
            sent = session.submit()
            raise BatchPending(_pending(waiting, sent, reports))


def _pending(waiting: int, sent: int, reports: Sequence[BatchReport]) -> str:
    open_ones = [one for one in reports if one.status not in ("completed", "failed")]
    states = ", ".join(f"{one.name} {one.status} ({one.requests} requests)" for one in open_ones)
    parts = [f"{waiting} seeds wait for answers"]
    parts += [f"{sent} requests are submitted"] if sent else []
    parts += [states] if states else []
    return f"{'; '.join(parts)} - give the same command again to collect them"
