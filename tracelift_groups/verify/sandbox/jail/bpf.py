"""A small assembler for classic BPF, the language of seccomp filters."""

from __future__ import annotations

import struct
from typing import NamedTuple

_LOAD, _JUMP, _JUMP_EQUAL, _JUMP_GREATER, _AND, _RETURN = 0x20, 0x05, 0x15, 0x25, 0x54, 0x06
NR_OFFSET, ARCH_OFFSET = 0, 4


def arg_low(index: int) -> int:
    """Offset of the low 32 bits of argument `index` on a little-endian machine."""
    return 16 + 8 * index


def arg_high(index: int) -> int:
    """Offset of the high 32 bits of argument `index` on a little-endian machine."""
    return 20 + 8 * index


class _Instruction(NamedTuple):
    code: int
    value: int
    then: str | None = None
    otherwise: str | None = None


class Assembler:
    """Collects instructions with named forward jumps and turns them into bytes.

    A conditional jump reaches 255 instructions ahead; `assemble` raises when one is farther.
    """

    def __init__(self) -> None:
        self._instructions: list[_Instruction] = []
        self._labels: dict[str, int] = {}
        self._fresh = 0

    def fresh(self) -> str:
        """A label name that nothing else uses."""
        self._fresh += 1
        return f".{self._fresh}"

    def label(self, name: str) -> None:
        """Names the next instruction."""
        if name in self._labels:
            raise ValueError(f"label {name} is defined twice")
        self._labels[name] = len(self._instructions)

    def load(self, offset: int) -> None:
        """Loads 32 bits of the call's description."""
        self._instructions.append(_Instruction(_LOAD, offset))

    def mask(self, bits: int) -> None:
        """Keeps only `bits` of the loaded value."""
        self._instructions.append(_Instruction(_AND, bits))

    def if_equal(self, value: int, then: str | None = None, otherwise: str | None = None) -> None:
        """Jumps on equality; a missing label means the next instruction."""
        self._instructions.append(_Instruction(_JUMP_EQUAL, value, then, otherwise))

    def if_greater(self, value: int, then: str | None = None, otherwise: str | None = None) -> None:
        """Jumps when the loaded value is greater (unsigned)."""
        self._instructions.append(_Instruction(_JUMP_GREATER, value, then, otherwise))

    def jump(self, target: str) -> None:
        """Jumps always, to any distance."""
        self._instructions.append(_Instruction(_JUMP, 0, target))

    def give(self, action: int) -> None:
        """Ends the filter with `action`."""
        self._instructions.append(_Instruction(_RETURN, action))

    def _distance(self, here: int, target: str | None) -> int:
        if target is None:
            return 0
        distance = self._labels[target] - here - 1
        if distance < 0:
            raise ValueError(f"jump to {target} goes backwards")
        return distance

    def assemble(self) -> bytes:
        """The program, 8 bytes an instruction."""
        out = []
        for here, instruction in enumerate(self._instructions):
            code, value, then, otherwise = instruction
            jump_true = self._distance(here, then)
            if code == _JUMP:
                out.append(struct.pack("<HBBI", code, 0, 0, jump_true))
                continue
            jump_false = self._distance(here, otherwise)
            if max(jump_true, jump_false) > 255:
                raise ValueError(f"jump from {here} is too far")
            out.append(struct.pack("<HBBI", code, jump_true, jump_false, value & 0xFFFFFFFF))
        return b"".join(out)
