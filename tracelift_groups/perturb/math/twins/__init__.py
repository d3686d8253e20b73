"""Sound rewordings of a trace, so that no surface feature tells sound from flawed.

A twin is made by a few moves drawn at random: numbers and signs in another style, operands
commuted, steps merged, split, reordered or put another way round, working shown at length, in
words or backwards, given facts restated, filler left out. Every draft passes
``checks.check_sound``; a move that finds nothing to do returns None.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tracelift_groups.perturb.math.trace import MathTrace
from tracelift_groups.perturb.math.twins import structure, style, working

Move = Callable[[MathTrace, Random], tuple[str, ...] | None]

SHORTER: tuple[Move, ...] = (structure.inline_step, working.bare_working, structure.drop_filler)
SHORTEST: tuple[Move, ...] = (structure.inline_all,)
LONGER: tuple[Move, ...] = (
    working.expand_working,
    working.verify_steps,
    structure.restate_given,
    structure.state_goal,
    structure.split_sum,
    working.spell_result,
    working.name_numbers,
)
NEUTRAL: tuple[Move, ...] = (
    style.restyle_signs,
    style.restyle_numbers,
    style.commute,
    working.turn_around,
    working.working_first,
    working.name_numbers,
    style.openings,
    structure.merge_lines,
    structure.swap_steps,
)
