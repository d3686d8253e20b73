"""What the server counts, for those who want to know what reached it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Stats:
    """Counts of model calls; a line of a batch is one.

    Attributes:
        received: How often each request arrived, by its key.
        answered: How often each was given a complete reply, one with a fault of content too.
        faults: How often each fault was met with.
        repeated: Requests that arrived although they had been answered before.
        in_flight: Requests that wait for their reply.
        most_in_flight: The most that ever did at the same time.
        input_tokens: Tokens of the prompts that were answered.
        output_tokens: Tokens of the replies.
    """

    received: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def arrives(self, key: str) -> int:
        """Count a request; return how often it was seen before."""
        seen = self.received[key]
        self.repeated += self.answered[key] > 0
        self.received[key] += 1
        return seen

    def enters(self) -> None:
        """Count a request that begins to wait."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def leaves(self) -> None:
        """Count one that waits no more."""
        self.in_flight -= 1

    def replies(self, key: str, usage: dict[str, int], fault: str | None) -> None:
        """Count a complete reply, and the fault of content that it may have."""
        if fault is not None:
            self.faults[fault] += 1
        self.answered[key] += 1
        self.input_tokens += usage["prompt_tokens"]
        self.output_tokens += usage["completion_tokens"]

    def report(self) -> dict[str, Any]:
        """All counts, and each request's by its key."""
        return {
            "received": self.received.total(),
            "answered": self.answered.total(),
            "repeated": self.repeated,
            "faults": dict(sorted(self.faults.items())),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "requests": {
                key: {"received": count, "answered": self.answered[key]}
                for key, count in self.received.items()
            },
        }
