"""The pipeline, seed by seed: read, make a group or reject, journal, then write the run folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tracelift_groups import __version__, store
from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.finish import finish
from tracelift_groups.llm.account import Account
from tracelift_groups.llm.opening import Script, check_model
from tracelift_groups.llm.prices import Price, prices_for
from tracelift_groups.llm.settings import ModelSettings
from tracelift_groups.perturb.code.runs import Sandbox, SandboxDown, sandbox_of
from tracelift_groups.plan import Plan
from tracelift_groups.records import SCHEMA_VERSION, Seed
from tracelift_groups.screen import screen
from tracelift_groups.seeds import SeedSource
from tracelift_groups.shards import Shard, write_shard
from tracelift_groups.work import Job, ask_in_batches, ask_now
from tracelift_groups.workers import map_in_order


@dataclass(frozen=True)
class BuildOptions:
    """What a build does. Its bytes depend on source, plan, seed and decontaminate alone."""

    source: SeedSource
    plan: Plan = field(default_factory=Plan)
    seed: int = 0
    decontaminate: tuple[Path, ...] = ()
    workers: int = 1
    sandbox: Sandbox = field(default_factory=Sandbox)
    """For code: where programs run. Verdicts do not depend on it."""
    model: ModelSettings | Script | None = None
    """Where the plan's models are asked."""
    batch: bool = False
    """Ask through the Batch API: submit, leave, collect with the same command."""
    backend: Literal["local", "ray"] = "local"
    shard: Shard | None = None
    """Only one part of the seeds, into a folder that is merged with the others'."""

    def __post_init__(self) -> None:
        """Check that the options go together.

        Raises:
            UserError: They do not.
        """
        if self.plan.asks and self.model is None:
            raise UserError("this build asks a model", way_out="say where with --model")
        if self.batch and not isinstance(self.model, ModelSettings):
            raise UserError("--batch needs an endpoint", way_out="give --model and --base-url")
        if self.backend == "ray":
            if self.batch:
                raise UserError("--batch does not go with --backend ray", way_out="drop one")
            if self.model is not None and (self.model.max_calls or _max_cost(self.model)):
                raise UserError(
                    "with --backend ray nobody counts all calls",
                    where="--max-cost, --max-calls",
                    way_out="drop the limit, or use --shard",
                )


def _max_cost(model: ModelSettings | Script) -> float | None:
    return model.max_cost if isinstance(model, ModelSettings) else None


class Progress(NamedTuple):
    """How far a build is. ``total`` counts the seeds that will be worked on.

    ``calls`` are model calls sent by this command, ``usd`` what they cost (None: not known).
    """

    done: int
    total: int
    groups: int
    rejected: int
    calls: int = 0
    usd: float | None = None


def fingerprint(options: BuildOptions) -> dict[str, Any]:
    """Everything that the bytes of a run depend on, for resuming and for the manifest."""
    domain = options.source.domain
    mark = {
        "version": __version__,
        "schema_version": SCHEMA_VERSION,
        "seed": options.seed,
        "source": options.source.options,
        "domain": domain,
        **options.plan.fingerprint,
        "inputs": [_hashed(path) for path in options.source.files],
        "decontaminate": [_hashed(path) for path in options.decontaminate],
        "templates": _hashes(asset("perturbations", domain), "*.yaml"),
    }
    if options.plan.asks:
        mark["prompts"] = _hashes(asset("prompts"), "*.jinja")
        mark["prompts"] |= _hashes(asset("perturbations"), "dimensions.yaml")
    if isinstance(options.model, Script) and options.model.seeds:
        mark["script"] = _hashed(options.model.seeds)
    return mark


def _hashes(folder: Path, pattern: str) -> dict[str, str]:
    return {path.stem: _sha256(path) for path in sorted(folder.glob(pattern))}


def _hashed(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build(
    options: BuildOptions,
    out: Path,
    *,
    resume: bool = True,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Build a run folder, or finish one that was interrupted.

    Args:
        options: What to build.
        out: The run folder.
        resume: Go on with what is there; False starts over.
        on_progress: Told after every batch of seeds.

    Returns:
        The manifest; of a shard, its ``shard.json``.

    Raises:
        UserError: The input has no usable row, or the folder belongs to another build.
        GateError: A limit of spending is reached, or a batch is not done yet; the same command
            goes on.
    """
    mark = fingerprint(options)
    done = _done(out, mark, options.shard) if resume else None
    if done is not None:
        return done
    if options.model is not None:
        check_model(options.model, options.plan.models)
    if options.source.domain == "code":
        sandbox_of(options.sandbox)  # now, and in one line, where programs cannot be isolated
    seeds, screened = screen(options.source, options.decontaminate)
    if options.shard is not None:
        seeds = [seed for seed in seeds if options.shard.holds(seed.seed_id)]
    store.prepare(out, resume=resume)
    journal = store.Journal(out, mark)
    try:
        _work(seeds, journal, options, out, on_progress)
        isolation = sandbox_of(options.sandbox).isolation if mark["domain"] == "code" else None
        prices = _prices(options)
        if options.shard is not None:
            return write_shard(
                out, options.shard, mark, screened, isolation, prices, batch=options.batch
            )
        manifest = finish(
            out,
            journal,
            screened,
            mark,
            isolation=isolation,
            prices=prices,
            batch=options.batch,
        )
    finally:
        journal.close()
    journal.path.unlink()
    return manifest


def _done(out: Path, mark: dict[str, Any], shard: Shard | None) -> dict[str, Any] | None:
    """What a finished build left, if it is this one.

    Raises:
        UserError: It is another one.
    """
    done = store.read_manifest(out) or store.read_json(out / store.SHARD)
    if done is None:
        return None
    if done.get("build") == mark and done.get("shard") == (shard and shard.named):
        return done
    raise store.other_build(out)


def _prices(options: BuildOptions) -> dict[str, Price]:
    if isinstance(options.model, ModelSettings):
        return prices_for(options.model)
    return {name: Price(input=0, output=0) for name in options.plan.models}


def _work(
    seeds: list[Seed],
    journal: store.Journal,
    options: BuildOptions,
    out: Path,
    on_progress: Callable[[Progress], None],
) -> None:
    """Make the groups that the journal does not hold yet."""
    todo = [seed for seed in seeds if seed.seed_id not in journal]

    def finished(lines: list[str], account: Account | None = None) -> None:
        journal.append(lines)
        count, bad = len(journal.offsets), len(journal.rejected_ids)
        spent = (account.calls, account.usd) if account else (0, None)
        on_progress(Progress(count, len(seeds), count - bad, bad, *spent))

    job = Job(options.plan, options.seed, options.sandbox)
    model = None if options.model is None else _with_cache(options.model, out.resolve())
    try:
        if options.backend == "ray":
            from tracelift_groups.ray_backend import map_with_ray

            for lines in map_with_ray(todo, job, model, options.workers):
                finished(lines)
        elif model is not None:
            threads = options.workers if options.source.domain == "code" else 0

            def told(line: str, account: Account) -> None:
                finished([line], account)

            if options.batch:
                assert isinstance(model, ModelSettings)
                ask_in_batches(todo, job, model, out, threads=threads, on_line=told)
            else:
                ask_now(todo, job, model, threads=threads, on_line=told)
        else:
            for lines in _by_rule(todo, job, options):
                finished(lines)
    except SandboxDown as error:
        raise UserError(
            f"the sandbox failed, so that nothing is known of a program: {error}",
            where=str(out),
            way_out="give the same command again: it goes on where it stopped",
        ) from error


def _with_cache(model: ModelSettings | Script, out: Path) -> ModelSettings | Script:
    """Keep answers in the run folder where the user names no other place."""
    if isinstance(model, ModelSettings) and model.cache is None:
        return replace(model, cache=out / store.REQUESTS)
    return model


def _by_rule(todo: list[Seed], job: Job, options: BuildOptions) -> Iterator[list[str]]:
    # A seed with programs to run takes a hundred times as long as one without.
    chunk = 16 if options.source.domain == "math" else 2
    return map_in_order(job.lines, todo, options.workers, chunk=chunk)
