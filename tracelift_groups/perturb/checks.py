"""Derives the certificates of a finished group anew, whatever its domain and engine."""

from __future__ import annotations

from tracelift_groups.perturb.llm.checks import recheck as recheck_written
from tracelift_groups.records import Group


def recheck(group: Group) -> list[str]:
    """Derive every certificate of a group from its texts, and compare.

    Programs are run again: a code group needs a machine that can isolate them.

    Returns:
        One line for each trace whose certificate is not confirmed or differs from what the texts
        give; empty when all is well.
    """
    if group.domain == "math":
        from tracelift_groups.perturb.math.checks import recheck as recheck_math

        return [*recheck_math(group), *recheck_written(group)]
    from tracelift_groups.perturb.code.checks import recheck as recheck_code

    return [*recheck_code(group), *recheck_written(group)]
