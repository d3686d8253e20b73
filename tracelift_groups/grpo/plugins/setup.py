"""The reward that a YAML file describes, for trainers that know a function by its path.

``TLG_REWARD=reward.yaml`` names the file::

    executor: http://localhost:8000/v1
    executor_model: Qwen/Qwen2.5-7B-Instruct
    rm: http://localhost:8001
    cache: /shared/executor.sqlite
    reward: {mode: tracelift}

It is opened when it is first used, once in each process, and closed at the end of the process.
"""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path

import yaml
from pydantic import Field

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.models import ModelChoice
from tracelift_groups.grpo.reward import Reward
from tracelift_groups.grpo.scorer import open_rm
from tracelift_groups.grpo.settings import RewardSettings
from tracelift_groups.llm.request import Api
from tracelift_groups.recipes import Section, validated

VARIABLE = "TLG_REWARD"
_lock = threading.Lock()
_opened: dict[str, Reward] = {}


class RewardFile(Section):
    """What gives the reward."""

    executor: str
    executor_model: str | None = None
    executor_api: Api = "chat"
    executor_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(64, ge=1)
    rm: str | None = None
    rm_key_env: str | None = None
    judge: str | None = None
    judge_model: str | None = None
    device: str | None = None
    cache: Path | None = None
    """File of the executor's replies; several processes may share one on a local disk."""
    prefilled: bool = False
    """Whether prompts end with the opening tag."""
    reward: RewardSettings = RewardSettings()

    def open(self) -> Reward:
        """Make the reward ready.

        Raises:
            UserError: A model that is not there, or one that the mode needs and that is not named.
        """
        settings = self.reward
        executor = ModelChoice(
            self.executor,
            self.executor_model,
            api=self.executor_api,
            api_key_env=self.executor_key_env,
            concurrency=self.concurrency,
            device=self.device,
        )
        judge = ModelChoice(self.judge, self.judge_model) if self.judge else None
        scored = self.rm if settings.needs_rm else None
        return Reward(
            settings,
            executor.open(self.cache),
            rm=open_rm(scored, key_env=self.rm_key_env, device=self.device) if scored else None,
            judge=judge.open(self.cache) if judge and settings.needs_judge else None,
        )


def read_reward_file(path: Path) -> RewardFile:
    """Read a reward's YAML file.

    Raises:
        UserError: No such file, no YAML, or a key that is unknown or wrong.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"no such file ({error.strerror})", where=str(path)) from error
    except yaml.YAMLError as error:
        raise UserError(f"not YAML: {error}", where=str(path)) from error
    return validated(RewardFile, raw, str(path))


def named_file() -> RewardFile:
    """Read the file that ``TLG_REWARD`` names.

    Raises:
        UserError: The variable is not set, or the file is wrong.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        raise UserError("the environment variable is not set", where=VARIABLE)
    return read_reward_file(Path(name))


def shared_reward() -> Reward:
    """The reward of this process, opened when it is first asked for."""
    name = os.environ.get(VARIABLE, "")
    with _lock:
        if name not in _opened:
            _opened[name] = named_file().open()
            atexit.register(_opened[name].close)
        return _opened[name]
