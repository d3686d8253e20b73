"""Finds the answers that a reply states; never "the last number in the text"."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_ANSWER_LENGTH = 2000
_HASHES = re.compile(r"^[ \t]*####[ \t]*([^\n#][^\n]*)$", re.MULTILINE)
_TAG = re.compile(r"<answer>", re.IGNORECASE)
_END_TAG = re.compile(r"</answer>", re.IGNORECASE)
_STATED = re.compile(
    r"\banswer[ \t]*(?:\*\*)?[ \t]*(?:is|:|=)[ \t]*:?[ \t]*(?:\*\*)?[ \t]*([^\n]+)", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<![0-9])\.(?=\s|$)|(?<=[0-9])\.(?=\s+[A-Z]|\s*$)|[!?](?=\s|$)")
_SIMPLE_BOX = re.compile(r"\\boxed\{([^{}\\]*)\}")
_MAX_BARE_LENGTH = 100
_MAX_BOXES = 32
_STARTS_NUMBER = frozenset("-+.$0123456789\u2212")


class Stated(NamedTuple):
    """What a reply states.

    Attributes:
        answers: Texts of the answers, in order, without their markers.
        way: "boxed", "hashes", "tag", "sentence", "bare" or "" for none.
    """

    answers: list[str]
    way: str


def _balanced_end(text: str, opening: int) -> int:
    r"""Index of the brace that closes the one at `opening`, or -1. `\{` and `\}` do not count."""
    depth, position, stop = 0, opening, min(len(text), opening + MAX_ANSWER_LENGTH)
    while position < stop:
        character = text[position]
        if character == "\\":
            position += 2
            continue
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1


def boxed(text: str) -> list[str]:
    r"""Contents of all `\boxed{...}`, braces balanced; an unfinished one counts as "".

    More than 32 boxes count as one that is unfinished: no reply needs them, and reading them all
    would cost the square of their number.
    """
    boxes = text.count("\\boxed")
    if boxes > _MAX_BOXES:
        return [""]
    if boxes == 1 and (simple := _SIMPLE_BOX.search(text)):
        return [simple[1].strip()]
    found, position = [], text.find("\\boxed")
    while position >= 0:
        opening = position + len("\\boxed")
        while text[opening : opening + 1] in (" ", "\t"):
            opening += 1
        if text[opening : opening + 1] != "{":
            found.append("")
            end = opening
        else:
            end = _balanced_end(text, opening)
            content = text[opening + 1 : end] if end > 0 else ""
            found.append(boxed(content)[-1] if "\\boxed" in content else content.strip())
            end = end if end > 0 else opening
        position = text.find("\\boxed", end)
    return found


def _hashes(text: str) -> list[str]:
    """Contents of `#### x` lines. Headings of that depth are told apart by what follows them."""
    lines = [match.strip() for match in _HASHES.findall(text)]
    return [line for line in lines[:-1] if line[:1] in _STARTS_NUMBER] + lines[-1:]


def _tagged(text: str) -> list[str]:
    """What stands between the tags; a pattern over both would cost the square of their number."""
    closed = _END_TAG.split(text)[:-1]
    parts = [_TAG.split(part) for part in closed]
    return [part[-1].strip() for part in parts if len(part) > 1]


def stated_answers(reply: str) -> Stated:
    r"""The answers a reply states.

    Text up to the last `</think>` is ignored. Boxes and `####` lines count first, together; then
    `<answer>` tags; then sentences like "the answer is 5"; then a reply that is nothing but a
    short single line.

    Args:
        reply: The whole reply.

    Returns:
        All answers of the first kind present, the final one last. More than one different answer
        is for the caller to refuse.
    """
    if "</think>" in reply:
        reply = reply.rpartition("</think>")[2]
    in_boxes = boxed(reply) if "\\boxed" in reply else []
    after_hashes = _hashes(reply) if "####" in reply else []
    after_hashes = [line for line in after_hashes if "\\boxed" not in line]
    if in_boxes or after_hashes:
        return Stated(in_boxes + after_hashes, "boxed" if in_boxes else "hashes")
    if "<answer>" in reply.lower():
        return Stated(_tagged(reply) or [""], "tag")
    sentences = _STATED.findall(reply) if "nswer" in reply or "NSWER" in reply else []
    if sentences:
        plain = [sentence.replace("**", "") for sentence in sentences]
        return Stated([_SENTENCE_END.split(s, maxsplit=1)[0].strip() for s in plain], "sentence")
    bare = reply.strip()
    if bare and len(bare) <= _MAX_BARE_LENGTH and "\n" not in bare:
        return Stated([bare], "bare")
    return Stated([], "")
