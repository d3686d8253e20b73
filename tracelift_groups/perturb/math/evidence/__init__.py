"""What a certificate of a math flaw rests on: postconditions, by the names that templates use.

Each takes a :class:`Pair` and reads nothing but the two texts and the problem. It raises
``Unconfirmed`` where the claim does not hold; the one that locates the flaw returns evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tracelift_groups.perturb.math.evidence import equations, omissions, scales
from tracelift_groups.perturb.math.evidence.pair import Evidence, Pair, Unconfirmed

Postcondition = Callable[[Pair], Evidence | None]

POSTCONDITIONS: Mapping[str, Postcondition] = {
    condition.__name__: condition
    for condition in (
        equations.equations_true,
        equations.answer_changed,
        equations.one_equation_false,
        equations.one_operator_changed,
        omissions.quantity_unused,
        omissions.derivation_missing,
        omissions.intermediate_presented,
        scales.unit_confused,
    )
}

__all__ = ["POSTCONDITIONS", "Evidence", "Pair", "Postcondition", "Unconfirmed"]
