r"""Verdicts on mathematical answers: exact where the gold is a number, symbolic otherwise.

A gold that is one number, as all of GSM8K's are, is met by one number alone: the reply's answer is
read exactly and compared as a fraction. `18%` is not 18, 0.333333 is not 1/3, `2+3` and
`1=2=3=4=5` are not 5. Any other gold, as in MATH, is compared by spelling first, then by
`math-verify` in a process of its own with a wall limit, and only after answers that would fool it
are refused: relations, lists, words and decimal approximations that the gold does not have.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

from tracelift_groups.verify import latex
from tracelift_groups.verify.answers import Stated, stated_answers
from tracelift_groups.verify.exact import Number, parse_gold, parse_number, same_number
from tracelift_groups.verify.sandbox.model import InfraError
from tracelift_groups.verify.symbolic import SymbolicComparer, SymbolicError
from tracelift_groups.verify.verdict import Result, Verdict

_CACHE_SIZE = 1 << 16
_PASS = Result(Verdict.PASS, 1, 1)
_NOT_STATED = Result(Verdict.NO_ANSWER, 0, 1, "the reply states no answer")


def _wrong(detail: str) -> Result:
    return Result(Verdict.WRONG_ANSWER, 0, 1, detail)


def gold_answer(gold: str) -> str:
    r"""The answer of a gold text: what follows `####`, or is in the last `\boxed{}`, or all."""
    if "####" in gold:
        return gold.rpartition("####")[2].strip()
    if "\\boxed" in gold:
        return stated_answers(gold).answers[-1]
    return gold.strip()


def _verify_number(gold: Number, stated: Stated) -> Result:
    for answer in stated.answers:
        number = parse_number(answer)
        if number is None:
            return _wrong(f"not one number: {answer[:60]!r}")
        if not same_number(gold, number):
            several = " among several answers" if len(stated.answers) > 1 else ""
            return _wrong(f"{answer[:60]!r}{several}")
    return _PASS


class MathVerifier:
    """Judges replies against gold answers. Safe to use from several threads.

    Args:
        workers: Symbolic comparisons at the same time; numbers are compared in the caller.
        wall_s: Seconds for one symbolic comparison.
    """

    def __init__(self, workers: int = 1, wall_s: float = 5.0) -> None:
        self._symbolic = SymbolicComparer(workers, wall_s)
        self._known: OrderedDict[tuple[str, str], Result] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, gold: str, reply: str) -> Result:
        r"""Judges one reply.

        The reply's answer is found as `answers.stated_answers` says: `\boxed{}` and `####` lines,
        `<answer>` tags, "the answer is ..." or a reply that is the answer alone. A reply that
        states several different answers does not pass.

        Args:
            gold: The gold answer; a text with `####` or `\boxed{}` is reduced to what they mark.
            reply: The model's reply.

        Returns:
            `pass`, `wrong_answer`, `no_answer`, `timeout` when the symbolic comparison reached its
            limit, or `sandbox_error` when its process failed or the gold is empty.
        """
        number = parse_gold(gold)
        if number is None and ("####" in gold or "\\boxed" in gold):
            gold = gold_answer(gold)
            number = parse_gold(gold)
        stated = stated_answers(reply)
        if not stated.answers:
            return _NOT_STATED if gold.strip() else _no_gold()
        if number is not None:
            return _verify_number(number, stated)
        return self._verify_expression(gold.strip(), stated)

    def _verify_expression(self, gold: str, stated: Stated) -> Result:
        if not gold:
            return _no_gold()
        plain_gold = latex.normalise(gold)
        different = dict.fromkeys(stated.answers)
        unequal = [a for a in different if not a or latex.normalise(a) != plain_gold]
        if not unequal:
            return _PASS
        if len({latex.normalise(answer) for answer in different}) > 1:
            return _wrong("several different answers")
        return self._compare(gold, unequal[0])

    def _compare(self, gold: str, answer: str) -> Result:
        objection = latex.objection(gold, answer) if answer else "an empty or unfinished answer"
        if objection is not None:
            return _wrong(objection)
        key = (gold, answer)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        try:
            result = _PASS if self._symbolic.agree(gold, answer) else _wrong(f"{answer[:60]!r}")
        except SymbolicError as error:
            if str(error) == "timeout":
                result = Result(Verdict.TIMEOUT, 0, 1, "the comparison reached its time limit")
            else:
                result = _wrong("the comparison crashed on this answer")
        except InfraError as error:
            return Result(Verdict.SANDBOX_ERROR, 0, 1, str(error))
        with self._lock:
            self._known[key] = result
            if len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return result

    async def averify(self, gold: str, reply: str) -> Result:
        """`verify` for asyncio."""
        return await asyncio.to_thread(self.verify, gold, reply)

    def close(self) -> None:
        """Ends the processes for symbolic comparison."""
        self._symbolic.close()

    def __enter__(self) -> MathVerifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _no_gold() -> Result:
    return Result(Verdict.SANDBOX_ERROR, 0, 1, "the gold answer is empty")
