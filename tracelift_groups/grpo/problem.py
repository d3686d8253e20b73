"""A problem as the planner, the executor and the verifier need it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tracelift_groups.errors import UserError
from tracelift_groups.records import Domain, Group

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """A problem with what decides whether a reply solves it.

    Attributes:
        problem_id: Names it in logs and caches.
        domain: ``math`` or ``code``.
        text: The statement.
        answer: Math: the gold answer.
        tests: Code: the tests as JSON text, as groups hold them.
    """

    problem_id: str
    domain: Domain
    text: str
    answer: str | None = None
    tests: str | None = None
    tolerance: float = 0.0
    """Math: how far from a numeric gold answer a reply may be; 0 compares exactly."""

    @classmethod
    def of(cls, group: Group) -> Problem:
        """Take a group's problem."""
        return cls(group.group_id, group.domain, group.problem, group.answer, group.tests)

    @cached_property
    def entry_point(self) -> str:
        """Code: what the tests call; empty for programs that read stdin."""
        if self.tests is None:
            return ""
        try:
            tests: Any = json.loads(self.tests)
        except ValueError:
            return ""
        return str(tests.get("entry_point") or "") if isinstance(tests, dict) else ""

    @property
    def verifiable(self) -> bool:
        """Whether there is anything to judge a reply by."""
        return bool(self.answer if self.domain == "math" else self.tests)


def read_problems(source: Path, split: str | None = None) -> list[Problem]:
    """Read the problems of a run folder or a file of groups, sorted by id.

    Args:
        source: A run folder, a ``.parquet`` file or a ``.jsonl`` file in the published layout.
        split: Of a run folder: only this split.

    Raises:
        UserError: No such source, no such split, or no problem that a verifier can judge.
    """
    from tracelift_groups.groupfiles import groups_of

    problems = [Problem.of(group) for group in groups_of(source, split)]
    usable = sorted((one for one in problems if one.verifiable), key=lambda one: one.problem_id)
    if usable and len(usable) < len(problems):
        left_out = len(problems) - len(usable)
        _log.warning("%s: %d problems have neither answer nor tests, left out", source, left_out)
    if not usable:
        what = "no problem has an answer or tests" if problems else "there are no groups"
        raise UserError(what, where=str(source), way_out="give a run of tlg build")
    return usable
