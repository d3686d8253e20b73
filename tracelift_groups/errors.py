"""The mistakes that a user can mend, and how they are told.

Everything raised here ends as one line on standard error and exit status 2; anything else that
escapes a command is a bug of ours and keeps its traceback.
"""

from __future__ import annotations


class UserError(Exception):
    """A mistake that the user can mend.

    Args:
        what: What is wrong, with the value that was given.
        where: File, line, field or option concerned.
        way_out: What to do about it.
    """

    def __init__(self, what: str, *, where: str = "", way_out: str = "") -> None:
        self.what, self.where, self.way_out = what, where, way_out
        super().__init__(str(self))

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line} - {self.way_out}" if self.way_out else line


class GateError(Exception):
    """A check that the user asked for did not pass: one line, exit status 1."""


class Terminated(Exception):  # noqa: N818 - an end that somebody chose
    """SIGTERM came, as schedulers send it; what was under way is stored. Exit status 143."""
