"""Works on seeds with Ray Data: the same function as at home, on the processors of a cluster.

Journal, splits and files stay with the process that was started, so the result is the same bytes,
and a build that was stopped goes on. Keys are not sent: a worker reads them from its own machine's
environment.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.llm.opening import Script
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.perturb.code.runs import SandboxDown
from tracelift_groups.records import Seed
from tracelift_groups.work import Job, ask_now

# Seeds that a worker takes at a time: by rule a second or so; with a model enough to keep its
# calls under way for several rounds.
_BY_RULE = 16
_WITH_MODEL = 256


class _Worker:
    """What Ray sends to its workers: a job, and where its models are asked."""

    def __init__(self, job: Job, model: ModelSettings | Script | None) -> None:
        self.job, self.model = job, model

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Return the journal lines of a batch; what a user has to mend comes last, as a row.

        Ray would wrap an exception until nobody can tell what it was.
        """
        seeds = [Seed.model_validate_json(str(text)) for text in batch["seed"]]
        lines: list[str] = []
        try:
            self._work(seeds, lines)
        except UserError as error:
            said = json.dumps({"what": error.what, "where": error.where, "way_out": error.way_out})
        except SandboxDown as error:
            said = json.dumps(str(error))
        else:
            return {"line": lines, "error": [""] * len(lines)}
        return {"line": [*lines, ""], "error": [*[""] * len(lines), said]}

    def _work(self, seeds: list[Seed], lines: list[str]) -> None:
        if self.model is None:
            lines += self.job.lines(seeds)
            return
        threads = 1 if any(seed.domain == "code" for seed in seeds) else 0
        ask_now(
            seeds,
            self.job,
            self.model,
            threads=threads,
            on_line=lambda line, _: lines.append(line),
        )


def map_with_ray(
    seeds: Sequence[Seed], job: Job, model: ModelSettings | Script | None, workers: int
) -> Iterator[list[str]]:
    """Yield the journal lines of seeds as they are finished, in any order.

    A Ray that runs already (``RAY_ADDRESS``) is used; else one is started here with ``workers``
    processors. Each worker keeps its own calls under way.

    Raises:
        UserError: Ray is not installed, or whatever a worker raised.
    """
    if not seeds:
        return
    try:
        import ray
    except ImportError as error:
        raise UserError(
            "--backend ray needs Ray", way_out='pip install "tracelift-groups[ray]"'
        ) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    started = not ray.is_initialized()
    if started:
        ray.init(
            num_cpus=None if os.environ.get("RAY_ADDRESS") else workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        yield from _mapped(seeds, job, model)
    finally:
        if started:
            ray.shutdown()


def _mapped(
    seeds: Sequence[Seed], job: Job, model: ModelSettings | Script | None
) -> Iterator[list[str]]:
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    size = _BY_RULE if model is None else _WITH_MODEL
    rows = [{"seed": seed.model_dump_json()} for seed in seeds]
    blocks = -(-len(rows) // size)
    dataset = ray.data.from_items(rows, override_num_blocks=blocks)
    made = dataset.map_batches(_Worker(job, model).__call__, batch_size=size)
    for batch in made.iter_batches(batch_size=None):
        yield [str(line) for line in batch["line"] if line]
        for said in filter(None, map(str, batch["error"])):
            error = json.loads(said)
            raise SandboxDown(error) if isinstance(error, str) else UserError(**error)
