"""References: a seed's own reasoning, cleaned and verified before anything is made of it."""

from __future__ import annotations


class NoReference(Exception):  # noqa: N818 - an outcome that is recorded, not a failure
    """The seed's reasoning cannot serve; ``reason`` is counted, ``detail`` is for the reader."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason}: {detail}")
