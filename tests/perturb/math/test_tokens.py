"""Steps as tokens: what is a sign, what a word, what a list."""

from __future__ import annotations

import pytest

from tracelift_groups.perturb.math.tokens import tokenize


def kinds(step: str) -> list[str]:
    """One short word a token: signs and brackets by what they mean, the rest by kind and text."""
    return [
        token.text
        if token.kind == "op"
        else token.kind
        if token.kind in ("(", ")", "=")
        else f"{token.kind}:{token.text}"
        for token in tokenize(step)
    ]


@pytest.mark.parametrize("sign", ["+", "plus"])
def test_ways_to_write_plus(sign: str) -> None:
    assert kinds(f"3 {sign} 4") == ["number:3", "+", "number:4"]


@pytest.mark.parametrize("sign", ["-", "–", "−", "minus"])
def test_ways_to_write_minus(sign: str) -> None:
    assert kinds(f"3 {sign} 4") == ["number:3", "-", "number:4"]


@pytest.mark.parametrize("sign", ["*", "×", "·", "x", "X", "times", "multiplied by"])
def test_ways_to_write_times(sign: str) -> None:
    assert kinds(f"3 {sign} 4") == ["number:3", "*", "number:4"]


@pytest.mark.parametrize("sign", ["/", "÷", "divided by"])
def test_ways_to_write_over(sign: str) -> None:
    assert kinds(f"3 {sign} 4") == ["number:3", "/", "number:4"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("3 + 4 equals 7", ["number:3", "+", "number:4", "=", "number:7"]),
        ("(3 + [4])", ["(", "number:3", "+", "(", "number:4", ")", ")"]),
        ("a 6-minute walk", ["word:a", "number:6", "word:-", "word:minute", "word:walk"]),
        ("M&M", ["word:M", "other:&", "word:M"]),
        ("A&W or salt&vinegar", ["word:A", "other:&", "word:W", "word:or", "word:salt", "word:&",
                                 "word:vinegar"]),
        ("6 sq. ft. here", ["number:6", "word:sq", "word:.", "word:ft", "word:.", "word:here"]),
        ("He left.", ["word:He", "word:left", "other:."]),
        ("5 m² = 5", ["number:5", "word:m", "word:²", "=", "number:5"]),
        ("3x4", ["number:3", "*", "number:4"]),
        ("3x 4", ["number:3", "*", "number:4"]),
        ("3x + 4", ["number:3", "word:x", "+", "number:4"]),
        ("x = 4", ["word:x", "=", "number:4"]),
        ("cups x 4", ["word:cups", "*", "number:4"]),
        ("(3) x (4)", ["(", "number:3", ")", "*", "(", "number:4", ")"]),
        ("6 times * 4", ["number:6", "word:*", "*", "number:4"]),
        ("Tom's 2 cats", ["word:Tom's", "number:2", "word:cats"]),
        ("sometimes 3", ["word:sometimes", "number:3"]),
        ("20% off", ["number:20%", "word:off"]),
        ("", []),
    ],
)  # fmt: skip
def test_what_depends_on_the_neighbours(step: str, expected: list[str]) -> None:
    assert kinds(step) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("the sum of 5, 6 and 7 is 18",
         ["word:the", "word:sum", "word:of", "number:5", "+", "number:6", "+", "number:7",
          "word:is", "number:18"]),
        ("the sum of 5, 6, and 7 is 18",
         ["word:the", "word:sum", "word:of", "number:5", "+", "number:6", "+", "number:7",
          "word:is", "number:18"]),
        ("product of 5 and 6 = 30",
         ["word:product", "word:of", "number:5", "*", "number:6", "=", "number:30"]),
        ("sum of parts", ["word:sum", "word:of", "word:parts"]),
        ("the sum of 5 and 6", ["word:the", "word:sum", "word:of", "number:5", "word:and",
                                "number:6"]),
    ],
)  # fmt: skip
def test_a_list_in_words_is_a_sum_or_a_product(step: str, expected: list[str]) -> None:
    assert kinds(step) == expected


def test_signs_that_are_not_written_take_no_room() -> None:
    signs = [token for token in tokenize("the sum of 5, 6 and 7 is 18") if token.kind == "op"]
    assert [(sign.start, sign.end) for sign in signs] == [(12, 12), (16, 16)]


def test_offsets_point_at_the_text() -> None:
    step = "She pays 3 bags * $2.50 = $7.50, so 20% less."
    for token in tokenize(step):
        written = step[token.start : token.end]
        assert token.text == written
        assert not written.isspace()


def test_hostile_text_is_tokenized() -> None:
    assert len(tokenize("(" * 10_000)) == 10_000
    assert len(tokenize("1 + " * 5_000)) == 10_000
