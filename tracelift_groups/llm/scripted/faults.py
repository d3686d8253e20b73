"""What goes wrong at an endpoint, drawn so that the same faults come again in the next run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tracelift_groups.llm.scripted.chance import chance

TransportFault = Literal[
    "rate_limited",  # 429 with Retry-After
    "server_error",  # 500
    "timeout",  # no reply at all
    "cut",  # the connection is closed in the middle of the body
]
ContentFault = Literal[
    "truncated",  # half of the reply, with finish_reason "length"
    "bad_json",  # two thirds of it, as if it were whole
    "empty",  # a reply with nothing in it
    "refused",  # the model or a filter declines
]
Fault = TransportFault | ContentFault
TRANSPORT: tuple[TransportFault, ...] = get_args(TransportFault)
CONTENT: tuple[ContentFault, ...] = get_args(ContentFault)


@dataclass(frozen=True)
class Faults:
    """How many requests meet with a fault, and with which.

    A fault of transport depends on how often the request was seen, so that it goes away when the
    request is repeated. A fault of content depends on the request alone: the same reply comes
    again, and only another sample may be better.

    Attributes:
        share: Share of requests with a fault when they are first seen, 0 to 1.
        transport: The faults of transport that occur.
        content: The faults of content that occur; all are as frequent as each other.
        seed: Draws others.
        retry_after_s: What a 429 asks for.
        hang_s: How long a timeout takes at most.
    """

    share: float = 0.0
    transport: tuple[TransportFault, ...] = TRANSPORT
    content: tuple[ContentFault, ...] = CONTENT
    seed: int = 0
    retry_after_s: float = 1.0
    hang_s: float = 600.0

    def in_transport(self, key: str, seen: int) -> TransportFault | None:
        """The fault of transport of a request that was seen so often before, if it has one."""
        share = self._share_of(self.transport)
        drawn = chance("transport", self.seed, key, seen)
        return self.transport[int(drawn / share * len(self.transport))] if drawn < share else None

    def in_content(self, key: str) -> ContentFault | None:
        """The fault of content of a request, if it has one."""
        arrive = 1 - self._share_of(self.transport)
        share = self._share_of(self.content) / arrive if arrive else 0.0
        drawn = chance("content", self.seed, key)
        return self.content[int(drawn / share * len(self.content))] if drawn < share else None

    def _share_of(self, kinds: tuple[str, ...]) -> float:
        every = len(self.transport) + len(self.content)
        return self.share * len(kinds) / every if every else 0.0
