"""The small GRPO runner: sample, reward, learn, log; one screen of it is the loop.

Left out on purpose: sharded weights, samplers in other processes, replay. For those the same
reward goes into TRL, verl or OpenRLHF (:mod:`.plugins`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from accelerate import Accelerator, DistributedType
from accelerate.utils import gather_object

from tracelift_groups import __version__
from tracelift_groups.errors import GateError, UserError
from tracelift_groups.grpo.folder import (
    RECIPE,
    SAMPLES,
    cut_samples,
    fingerprint_of,
    log_rows,
    prepare,
)
from tracelift_groups.grpo.local import eos_ids, pad_id
from tracelift_groups.grpo.monitor import Monitor
from tracelift_groups.grpo.planner import MARKER, load_planner, planner_folder, save_planner
from tracelift_groups.grpo.problem import Problem
from tracelift_groups.grpo.recipe import PlannerRecipe
from tracelift_groups.grpo.reward import Rollout, ScoreRollouts
from tracelift_groups.grpo.rollout import Completion, Sampler, problems_of, roll_out
from tracelift_groups.grpo.steps import means, over_steps, sample_row, sums
from tracelift_groups.grpo.update import Updater
from tracelift_groups.recipes import dump_recipe
from tracelift_groups.rm.checkpoint import Checkpoints, Progress, clear, leave_out_frozen
from tracelift_groups.rm.loop import METRICS, MetricsLog
from tracelift_groups.rm.optim import make_optimizer, set_rate
from tracelift_groups.rm.tokenizer import load_tokenizer
from tracelift_groups.store import read_json, write_atomically

T = TypeVar("T")

# It tells at every checkpoint that tied weights are written once.
logging.getLogger("accelerate.utils.other").setLevel(logging.ERROR)

_SAMPLES_EACH = 4
_SUMMARY_STEPS = 20
_ALONE = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)


class Report(NamedTuple):
    """What a training says of itself after every step."""

    step: int
    """Steps done."""
    steps: int
    figures: Mapping[str, float]
    """Means of the step: ``reward``, ``success``, ``uplift``, ``rm``, ``invalid`` and so on."""
    signs: Sequence[str]
    """New signs of a gamed reward, a line each."""


OnReport = Callable[[Report], None]


def train(
    problems: Sequence[Problem],
    held_out: Sequence[Problem],
    recipe: PlannerRecipe,
    reward: ScoreRollouts,
    out: Path,
    *,
    about: Mapping[str, str] | None = None,
    resume: bool = True,
    on_report: OnReport = lambda report: None,
) -> dict[str, Any]:
    """Train a planner and write it as a folder that ``transformers`` loads.

    An interrupted training goes on from its last checkpoint and ends with the very parameters it
    would have had, given the same rewards.

    Args:
        problems: What to train on.
        held_out: What to evaluate on, where the recipe says so.
        recipe: How.
        reward: Scores completions.
        out: The planner's folder; checkpoints, ``metrics.jsonl`` and ``samples.jsonl`` lie there.
        about: What else the training depends on, such as the executor's name.
        resume: Go on with what ``out`` holds; otherwise start over.
        on_report: Called after each step, in the main process.

    Returns:
        What ``planner.json`` holds.

    Raises:
        UserError: Nothing to train, or an endpoint that is down; the last checkpoint is kept.
        GateError: The loss is not finite, or no score was valid for many steps.
    """
    accelerator = Accelerator(log_with=list(recipe.trackers) or None, project_dir=str(out))
    if accelerator.distributed_type not in _ALONE:
        raise UserError(
            f"the small runner does not shard weights ({accelerator.distributed_type.value})",
            way_out="use accelerate's ddp.yaml, or --backend trl",
        )
    fingerprint = fingerprint_of(problems, recipe, about or {})
    done = prepare(accelerator, out, fingerprint, resume=resume)
    if done is not None:
        return done
    if recipe.trackers:
        accelerator.init_trackers("tracelift-groups")
    loop = _Loop(accelerator, problems, held_out, recipe, reward, out, fingerprint, on_report)
    seconds = loop.run()
    if accelerator.is_main_process:
        info = {
            "version": __version__,
            "fingerprint": fingerprint,
            "about": dict(about or {}),
            "problems": loop.problems,
            "too_long": len(problems) - loop.problems,
            "steps": recipe.steps,
            "processes": accelerator.num_processes,
            "seconds": round(seconds, 1),
            **loop.summary(),
        }
        write_atomically(out / RECIPE, dump_recipe(recipe))
        save_planner(out, loop.model, loop.tokenizer, info)
        clear(out)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    info_read = read_json(out / MARKER)
    assert info_read is not None
    return info_read


class _Loop:
    """The steps of a training, with what they need."""

    def __init__(
        self,
        accelerator: Accelerator,
        problems: Sequence[Problem],
        held_out: Sequence[Problem],
        recipe: PlannerRecipe,
        reward: ScoreRollouts,
        out: Path,
        fingerprint: str,
        on_report: OnReport,
    ) -> None:
        self._accelerator, self._recipe, self._reward = accelerator, recipe, reward
        self._out, self._on_report = out, on_report
        folder = planner_folder(recipe)
        self.tokenizer = load_tokenizer(folder)
        model = load_planner(recipe)
        eos = eos_ids(model, self.tokenizer)
        pad = pad_id(self.tokenizer, eos)
        self._sampler = Sampler(self.tokenizer, recipe, eos, pad)
        self._problems = self._sampler.fitting(model, problems)
        self.problems = len(self._problems)
        chosen = held_out[: recipe.evaluate.problems] if recipe.evaluate.every else []
        self._held_out = self._sampler.fitting(model, chosen) if chosen else []
        if recipe.lora is not None:
            accelerator.register_save_state_pre_hook(leave_out_frozen)
        optimizer = make_optimizer(model, recipe.optim)
        # Not wrapped for distribution: the updater adds gradients up itself.
        self.model: Any = accelerator.prepare_model(model, evaluation_mode=True)
        self._optimizer: Any = accelerator.prepare_optimizer(optimizer)
        self._updater = Updater(accelerator, self.model, self._optimizer, recipe, pad)
        self._checkpoints = Checkpoints(accelerator, out, fingerprint)
        self._monitor = Monitor()

    def run(self) -> float:
        """Train to the end; return the seconds it took this time."""
        accelerator, recipe, out = self._accelerator, self._recipe, self._out
        progress = self._checkpoints.restore() or Progress(0, None)
        log = MetricsLog(out / METRICS, progress.step, accelerator)
        cut_samples(out / SAMPLES, progress.step, accelerator)
        for row in log_rows(out / METRICS):
            self._monitor.update(_watched(row))
        started, invalid = time.monotonic(), 0
        for step in range(progress.step, recipe.steps):
            groups = self._roll_out(step)
            figures = self._means(groups)
            self.model.train()
            rate = set_rate(self._optimizer, step, recipe.steps, recipe.optim)
            figures |= self._updater.learn([one for group in groups for one in group], step + 1)
            figures["lr"] = rate
            if recipe.evaluate.every and (step + 1) % recipe.evaluate.every == 0:
                figures |= self._evaluate()
            log.write(step + 1, figures)
            self._log_samples(step + 1, groups)
            if (step + 1) % recipe.checkpoint_every == 0 and step + 1 < recipe.steps:
                self._checkpoints.save(Progress(step + 1, None))
            signs = [sign.text for sign in self._monitor.update(_watched(figures))]
            if accelerator.is_main_process:
                self._on_report(Report(step + 1, recipe.steps, figures, signs))
            invalid = invalid + 1 if figures.get("invalid") == 1.0 else 0
            if invalid == recipe.give_up_after:
                self._checkpoints.save(Progress(step + 1, None))
                why = next((one.score.reason for group in groups for one in group), "")
                raise GateError(
                    f"no valid score for {invalid} steps (the last: {why}); stopped after step "
                    f"{step + 1}, the same command goes on from there"
                )
        return time.monotonic() - started

    def summary(self) -> dict[str, Any]:
        """The first and the last steps, and what the monitor saw."""
        rows = list(log_rows(self._out / METRICS))
        each = min(_SUMMARY_STEPS, max(1, len(rows) // 2))
        return {
            "first": over_steps(rows[:each], each),
            "last": over_steps(rows, each),
            "invalid": over_steps(rows, len(rows)).get("invalid", 0.0),
            "signs": self._monitor.seen,
        }

    def _roll_out(self, step: int) -> list[list[Completion]]:
        accelerator, recipe = self._accelerator, self._recipe
        chosen = problems_of(self._problems, step, recipe.problems_per_step, recipe.seed)
        mine = chosen[accelerator.process_index :: accelerator.num_processes]
        self.model.eval()
        done, error = _tried(
            lambda: roll_out(self._sampler, self.model, mine, step, recipe, self._reward)
        )
        if self._anywhere(error is not None):
            self._checkpoints.save(Progress(step, None))
            raise error or UserError("stopped, because another process met a mistake")
        assert done is not None
        return done

    def _anywhere(self, here: bool) -> bool:
        """Whether something is so in any process; all of them have to ask."""
        return any(_gathered(here, self._accelerator))

    def _means(self, groups: Sequence[Sequence[Completion]]) -> dict[str, float]:
        """The step's figures, over all processes."""
        added: dict[str, list[float]] = {}
        for own in _gathered(sums(groups), self._accelerator):
            for name, (total, number) in own.items():
                entry = added.setdefault(name, [0.0, 0.0])
                entry[0] += total
                entry[1] += number
        return means(added)

    def _evaluate(self) -> dict[str, float]:
        """The executor's success with the most likely reasoning on held-out problems."""
        accelerator = self._accelerator
        mine = self._held_out[accelerator.process_index :: accelerator.num_processes]
        self.model.eval()
        drawn = self._sampler.most_likely(self.model, mine)
        prefill = self._recipe.sampling.prefill
        texts = [self._sampler.text(one) for one in drawn]
        rollouts = [Rollout(one, text, prefill) for one, text in zip(mine, texts, strict=True)]
        scores, error = _tried(lambda: self._reward(rollouts))
        if self._anywhere(error is not None):
            raise error or UserError("stopped, because another process met a mistake")
        assert scores is not None
        # A completion without a reasoning gets the executor nowhere.
        own = [score.parts.get("success", 0.0) for score in scores if score.valid]
        pairs = list(_gathered([sum(own), float(len(own))], accelerator))
        total, number = (sum(one[place] for one in pairs) for place in (0, 1))
        return {"held_out_success": total / number} if number else {}

    def _log_samples(self, step: int, groups: Sequence[Sequence[Completion]]) -> None:
        if step % self._recipe.log_samples_every or not self._accelerator.is_main_process:
            return
        chosen = [one for group in groups for one in group][:_SAMPLES_EACH]
        with (self._out / SAMPLES).open("a", encoding="utf-8") as file:
            for one in chosen:
                file.write(json.dumps(sample_row(step, one), ensure_ascii=False) + "\n")


def _tried(call: Callable[[], T]) -> tuple[T | None, UserError | None]:
    """The result of a call, or the mistake that it met."""
    try:
        return call(), None
    except UserError as error:
        return None, error


def _gathered(own: Any, accelerator: Accelerator) -> list[Any]:
    """What every process has."""
    if accelerator.num_processes == 1:
        return [own]
    found: list[Any] = gather_object([own])
    return found


def _watched(figures: Mapping[str, Any]) -> dict[str, float]:
    """What the monitor looks at."""
    names = ("success", "uplift", "rm", "length", "leaked", "tag_games")
    return {name: float(figures[name]) for name in names if name in figures}
