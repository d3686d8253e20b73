"""The rule engine's operators for word problems, by the names that templates use.

An operator takes a parsed trace and a random generator and yields drafts, the likeliest mistake
first. It may yield none. Whether a draft is the flaw that it wants to be is not its business:
the checks decide that from the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random

from tracelift_groups.perturb.math.operators import conditions, leaps, operations, slips, units
from tracelift_groups.perturb.math.rewrite import Draft
from tracelift_groups.perturb.math.trace import MathTrace

Operator = Callable[[MathTrace, Random], Iterator[Draft]]

OPERATORS: Mapping[str, Operator] = {
    operator.__name__: operator
    for operator in (
        slips.digit_slip,
        slips.carry_slip,
        slips.table_slip,
        slips.transposition,
        slips.off_by_ten,
        slips.skipped_term,
        operations.add_or_subtract,
        operations.multiply_or_divide,
        operations.add_for_multiply,
        operations.subtract_for_divide,
        conditions.drop_term,
        conditions.use_unadjusted,
        conditions.drop_step,
        conditions.drop_branch,
        units.wrong_factor,
        units.wrong_direction,
        units.skipped_conversion,
        units.percent_scale,
        units.percent_as_amount,
        units.cents_as_dollars,
        units.rate_as_total,
        units.total_as_rate,
        leaps.assert_result,
        leaps.vague_working,
        leaps.drop_derivation,
        leaps.jump_ahead,
        leaps.conclude_early,
        leaps.stop_early,
        leaps.cut_expression,
    )
}
