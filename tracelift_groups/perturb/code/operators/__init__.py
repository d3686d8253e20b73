"""Operators: what can be wrong in a sentence of a reasoning text, and what program follows.

A sentence operator yields :class:`Proposal` for one sentence; sentences whose proposals lead to the
same program are changed together. ``make_vague`` works on a whole trace, and no program follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tracelift_groups.perturb.code.operators.guards import drop_boundary
from tracelift_groups.perturb.code.operators.methods import (
    change_end,
    change_extreme,
    change_order,
)
from tracelift_groups.perturb.code.operators.phrases import (
    change_comparison,
    change_range,
    change_start,
)
from tracelift_groups.perturb.code.operators.proposal import Proposal
from tracelift_groups.perturb.code.operators.said import deny_fact
from tracelift_groups.perturb.code.operators.spans import change_quoted_code
from tracelift_groups.perturb.code.operators.states import change_state
from tracelift_groups.perturb.code.program import Program

__all__ = ["OPERATOR_NAMES", "SENTENCE_OPERATORS", "Proposal", "proposals"]

# What templates may name: the small changes that the operators below make.
OPERATOR_NAMES = frozenset(
    "strictness drop_one late_start early_start early_end shift_index shift_slice shift_start "
    "drop_guard drop_check drop_case drop_clamp drop_last_step "
    "reverse_sort skip_sort reverse_loop swap_branches other_end other_extreme other_call "
    "other_operation other_connective drop_call "
    "running_best running_sum running_count partial_sum all_seen latest_of tally gathered carried "
    "undone overwrite turn_comparison "
    "results_kept looked_up set_lookup sorted_once carried_on heap_top bisected "
    "drop_specifics".split()
)

SENTENCE_OPERATORS: dict[str, Callable[[str, Program], Iterator[Proposal]]] = {
    "deny_fact": deny_fact,
    "change_quoted_code": change_quoted_code,
    "change_range": change_range,
    "change_start": change_start,
    "change_comparison": change_comparison,
    "change_order": change_order,
    "change_extreme": change_extreme,
    "change_end": change_end,
    "change_state": change_state,
    "drop_boundary": drop_boundary,
}


def proposals(sentence: str, program: Program) -> Iterator[Proposal]:
    """Yield what every operator proposes for a sentence, without repeats."""
    seen: set[Proposal] = set()
    for operator in SENTENCE_OPERATORS.values():
        for proposal in operator(sentence, program):
            if proposal not in seen and proposal.text != sentence:
                seen.add(proposal)
                yield proposal
