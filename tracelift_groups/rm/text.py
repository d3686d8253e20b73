"""What the reward model reads: the published input text, and making a text fit.

The layout is that of the published system, so that a model trained here can serve its trainers:
one block per line, problem first. The traces of a group then share everything up to their first
difference, which is what the token trie saves.

A text that is too long is never cut blindly at its end: that would take the reasoning away, and
make the traces of a group identical. First the tests are shortened, by the same cut for a whole
group; what still does not fit is for the caller to drop and count (training) or to shorten by the
end of its reasoning (scoring, :func:`cut_reasoning`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tracelift_groups.errors import UserError
from tracelift_groups.records import Domain

# Tokens at the two ends of a cut may merge differently; this much room absorbs it.
_SLACK = 8


class Subject(NamedTuple):
    """What a reasoning is about."""

    problem: str
    domain: Domain = "math"
    tests: str | None = None


class Fitted(NamedTuple):
    """Token ids of each reasoning about one subject, None where it does not fit."""

    ids: tuple[list[int] | None, ...]
    tests_cut: bool


def input_text(subject: Subject, reasoning: str) -> str:
    """Return the published input text of one trace."""
    lines = [f"<task>{subject.domain}</task>", f"<type>{subject.domain}</type>"]
    lines += ["<problem>", subject.problem, "</problem>"]
    if subject.tests:
        lines += ["<tests>", subject.tests, "</tests>"]
    lines += ["<reasoning>", reasoning, "</reasoning>"]
    return "\n".join(lines)


class TextEncoder:
    """Input texts to token ids, none longer than ``max_length``.

    Args:
        tokenizer: A fast Hugging Face tokenizer. Its own special tokens are added as it does.
        max_length: Tokens of the longest text that the model reads.
        append_eos: End every text with the tokenizer's end-of-text token, if it does not already.
    """

    def __init__(self, tokenizer: Any, max_length: int, *, append_eos: bool) -> None:
        self.tokenizer, self.max_length = tokenizer, max_length
        self._eos: int | None = tokenizer.eos_token_id if append_eos else None
        if append_eos and self._eos is None:
            raise UserError("the tokenizer has no end-of-text token", way_out="use text.eos=none")

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of whole texts, of any length."""
        rows: list[list[int]] = self.tokenizer(
            list(texts), add_special_tokens=True, verbose=False, return_attention_mask=False
        )["input_ids"]
        if self._eos is not None:
            for row in rows:
                if not row or row[-1] != self._eos:
                    row.append(self._eos)
        return rows

    def fit(self, subject: Subject, reasonings: Sequence[str]) -> Fitted:
        """Encode reasonings about one subject, the tests shortened as far as it takes.

        The cut is the same for all of them: they differ by their reasoning and nothing else.
        """
        rows = self.encode([input_text(subject, text) for text in reasonings])
        longest = max(map(len, rows), default=0)
        cut = subject.tests is not None and longest > self.max_length
        if cut and subject.tests is not None:
            kept = self._head(subject.tests, longest - self.max_length)
            subject = subject._replace(tests=kept.rpartition("\n")[0] or None)
            rows = self.encode([input_text(subject, text) for text in reasonings])
        ids = tuple(row if len(row) <= self.max_length else None for row in rows)
        return Fitted(ids=ids, tests_cut=cut)

    def cut_reasoning(self, subject: Subject, reasoning: str) -> list[int]:
        """Encode one reasoning that does not fit, without its tests and without its end.

        Raises:
            UserError: The problem alone fills the model.
        """
        subject = subject._replace(tests=None)
        row = self.encode([input_text(subject, reasoning)])[0]
        while len(row) > self.max_length:
            reasoning = self._head(reasoning, len(row) - self.max_length)
            if not reasoning:
                raise UserError(
                    f"the problem alone has more than the model's {self.max_length} tokens",
                    where=subject.problem[:40],
                )
            row = self.encode([input_text(subject, reasoning)])[0]
        return row

    def _head(self, text: str, surplus: int) -> str:
        """The text without its last ``surplus`` tokens and a little more; maybe nothing."""
        offsets = self.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        keep = len(offsets) - surplus - _SLACK
        return text[: offsets[keep - 1][1]] if keep > 0 else ""
