"""``tlg train-planner``: GRPO with the executor-grounded reward."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelift_groups.commands.executor_options import executor_options

if TYPE_CHECKING:
    from tracelift_groups.grpo.models import ModelChoice
    from tracelift_groups.grpo.problem import Problem
    from tracelift_groups.grpo.recipe import PlannerRecipe
    from tracelift_groups.grpo.reward import Reward

_EXAMPLES = """
\b
Examples:
  tlg train-planner --groups runs/gsm8k --planner models/planner --rm rms/gsm8k \\
      --executor local:models/executor -o planners/mine
  tlg train-planner --groups runs/gsm8k --recipe qwen2.5-1.5b-lora --rm http://localhost:8001 \\
      --executor http://localhost:8000/v1 --executor-model Qwen/Qwen2.5-7B-Instruct -o planners/qwen
  tlg train-planner … --mode exec_only steps=100 optim.lr=2e-5 -o planners/exec
"""


@click.command(epilog=_EXAMPLES)
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--groups",
    type=click.Path(path_type=Path),
    required=True,
    help="Whose problems: a run folder or a file of groups.",
)
@click.option("--split", default="train", show_default=True, help="Of a run folder.")
@click.option("--planner", metavar="DIR|NAME", help="The planner to start from.")
@click.option("--rm", metavar="DIR|URL", help="The reward model, or a server of /score.")
@click.option("--rm-key-env", metavar="NAME", help="Environment variable of that server's key.")
@executor_options
@click.option(
    "--mode",
    type=click.Choice(["exec_only", "tracelift", "no_uplift", "uplift_only", "llm_judge"]),
    help="Which terms of the reward count; goes before the recipe's reward.mode.",
)
@click.option("--judge", metavar="URL|local:DIR", help="For llm_judge: the model that judges.")
@click.option("--judge-model", metavar="NAME", help="Its name at the endpoint.")
@click.option(
    "--recipe",
    default="tiny",
    show_default=True,
    help="A shipped recipe's name (see rm/planner/) or the path of one.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder of the planner."
)
@click.option(
    "--resume",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Go on with an interrupted training, or start over.",
)
@click.option(
    "--backend",
    type=click.Choice(["small", "trl"]),
    default="small",
    show_default=True,
    help="This package's runner, or trl.GRPOTrainer (vLLM, DeepSpeed, several machines).",
)
@click.option(
    "--trl",
    "trl_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="With --backend trl: an argument of GRPOConfig, such as use_vllm=true.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
def command(
    overrides: tuple[str, ...],
    groups: Path,
    split: str,
    planner: str | None,
    rm: str | None,
    rm_key_env: str | None,
    executor: ModelChoice,
    device: str | None,
    mode: str | None,
    judge: str | None,
    judge_model: str | None,
    recipe: str,
    out: Path,
    resume: str,
    backend: str,
    trl_options: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train a planner whose reasoning is rewarded by what a frozen executor does with it.

    The planner writes reasoning only; the executor works from it; a verifier judges the outcome.
    Reward: success + reward model x uplift over the executor without a reasoning. KEY=VALUE
    overrides a recipe's key, dotted: sampling.completions=16. The executor's replies are kept in
    the folder; an interrupted training goes on when the same command is given again.
    """
    from tracelift_groups.commands.extras import require_extra
    from tracelift_groups.commands.planning import planning_reporter
    from tracelift_groups.grpo.models import ModelChoice
    from tracelift_groups.grpo.problem import read_problems
    from tracelift_groups.grpo.recipe import load_planner_recipe

    changes = list(overrides)
    changes += [f"reward.mode={mode}"] if mode else []
    changes += [f"planner={json.dumps(planner)}"] if planner else []
    loaded = load_planner_recipe(recipe, changes)
    require_extra("train")
    problems = read_problems(groups, split if groups.is_dir() else None)
    held_out = _held_out(groups, loaded)
    asked = ModelChoice(judge, judge_model, device=device) if judge else None
    going_on = resume == "auto"
    _use_own_gpu()
    with _reward(loaded, executor, rm, rm_key_env, asked, device, out) as reward:
        about = {
            "executor": executor.spec,
            "executor_model": reward.executor.name,  # of a folder, with a digest of its weights
            "rm": _named_rm(rm) if rm and loaded.reward.needs_rm else "",
            "judge": f"{judge} {judge_model or ''}".strip() if judge else "",
        }
        if backend == "trl":
            from tracelift_groups.grpo.trl_backend import train_with_trl

            extra = _options(trl_options)
            info = train_with_trl(
                problems, loaded, reward, out, extra=extra, about=about, resume=going_on
            )
        else:
            from tracelift_groups.grpo.train import train

            info = train(
                problems,
                held_out,
                loaded,
                reward,
                out,
                about=about,
                resume=going_on,
                on_report=planning_reporter(sys.stderr),
            )
    if os.environ.get("RANK", "0") != "0":
        return  # under accelerate launch, the first process speaks for all
    click.echo(
        json.dumps({**info, "folder": str(out)}, indent=2) if as_json else _summary(info, out)
    )


def _use_own_gpu() -> None:
    """Put the models of each process of ``accelerate launch`` on the GPU that it trains on."""
    import torch

    own = os.environ.get("LOCAL_RANK")
    if own is not None and torch.cuda.is_available():
        torch.cuda.set_device(int(own))


def _named_rm(rm: str) -> str:
    """A reward model's place, with a digest of the weights where they lie here."""
    from tracelift_groups.grpo.local import digest_of

    return f"{rm}@{digest_of(Path(rm))}" if Path(rm).is_dir() else rm


def _options(given: tuple[str, ...]) -> dict[str, Any]:
    """Read KEY=VALUE, values as YAML."""
    import yaml

    from tracelift_groups.errors import UserError

    found = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not key or not equals:
            raise UserError("an option is key=value", where=f"--trl {one}")
        found[key] = yaml.safe_load(value)
    return found


def _held_out(groups: Path, recipe: PlannerRecipe) -> list[Problem]:
    """The problems of the validation split, where the recipe evaluates."""
    from tracelift_groups.errors import UserError
    from tracelift_groups.grpo.problem import read_problems

    if recipe.evaluate.every is None:
        return []
    if not groups.is_dir():
        raise UserError(
            "evaluate.every needs the validation split of a run folder",
            where=str(groups),
            way_out="give the run's folder, or evaluate.every=null",
        )
    return read_problems(groups, "validation")


def _reward(
    recipe: PlannerRecipe,
    executor: ModelChoice,
    rm: str | None,
    rm_key_env: str | None,
    judge: ModelChoice | None,
    device: str | None,
    out: Path,
) -> Reward:
    """Open what gives the reward, and say so loudly where the executor's repeats are all alike."""
    from tracelift_groups.grpo.reward import Reward
    from tracelift_groups.grpo.scorer import open_rm
    from tracelift_groups.store import REQUESTS

    cache = out / REQUESTS
    reward = Reward(
        recipe.reward,
        executor.open(cache),
        rm=open_rm(rm, key_env=rm_key_env, device=device)
        if rm and recipe.reward.needs_rm
        else None,
        judge=judge.open(cache) if judge and recipe.reward.needs_judge else None,
    )
    if recipe.reward.repeats > 1 and reward.repeats_differ() is False:
        click.echo(
            "warning: the executor gives the same reply again and again: its repeats say nothing "
            "and uplift is all or nothing; raise reward.temperature or have the server sample",
            err=True,
        )
    return reward


def _summary(info: Mapping[str, Any], out: Path) -> str:
    if "first" not in info:  # TRL keeps its own log
        return f"{info['steps']} steps over {info['problems']} problems\n  in {out}"
    first, last = info["first"], info["last"]
    lines = [f"{info['steps']} steps over {info['problems']} problems in {info['seconds']:.0f} s"]
    if info["too_long"]:
        lines.append(f"  {info['too_long']} problems left out: too long for the planner")
    for name in ("reward", "success", "uplift", "rm", "held_out_success", "length"):
        if name in first and name in last:
            shown = "{:.0f} -> {:.0f}" if name == "length" else "{:.3f} -> {:.3f}"
            lines.append(f"  {name.replace('_', ' ')}: {shown.format(first[name], last[name])}")
    lines.append(
        f"  {100 * info['invalid']:.1f} % of scores invalid, "
        f"{100 * last.get('truncated', 0.0):.1f} % of completions cut off, "
        f"{100 * last.get('groups_learnt_from', 0.0):.0f} % of groups learnt from"
    )
    lines += [f"  {name} in {count} steps" for name, count in info["signs"].items()]
    lines.append(f"  in {out}")
    return "\n".join(lines)
