from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelift_groups.llm.jsonreply import find_json

# Backspace and form feed before a letter are read as LaTeX, on purpose.
TEXT = st.text(st.characters(exclude_characters="\b\f", exclude_categories=["Cs"]), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, width=32) | TEXT
VALUES = st.recursive(
    SCALARS.filter(lambda v: v not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
PLAIN, FENCED = "@", "```json\n@\n```"
THOUGHT, DRAFTED = '<think>{"a": 0}, "</think>@', 'First {"a": 0}, then:\n@'
PROSE = st.text("abc xyz.,:'\n-\"", max_size=20).filter(lambda t: t.count('"') % 2 == 0)


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_any_value_comes_back_plain_and_fenced(
    value: object, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert find_json(f" {text}\n") == value
    if "`" not in text and "</think>" not in text:
        assert find_json(f"```json\n{text}\n```") == value


@given(OBJECTS, PROSE, PROSE, st.sampled_from([PLAIN, FENCED, THOUGHT, DRAFTED]))
def test_any_object_comes_back_from_prose(
    value: object, before: str, after: str, wrapping: str
) -> None:
    text = json.dumps(value)
    if "</think>" not in text:
        assert find_json(f"{before}\n{wrapping.replace('@', text)}\n{after}") == value


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    try:
        find_json(text)
    except ValueError as error:
        assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"a": [1, 2, ], }', {"a": [1, 2]}),
        (r'{"a": "it\'s"}', {"a": "it's"}),
        (r"{'a': 'it\'s \(x\)'}", {"a": r"it's \(x\)"}),
        ('{"a": "one, ]"}', {"a": "one, ]"}),
        ('{"a": "first\nsecond\tthird"}', {"a": "first\nsecond\tthird"}),
        (r'{"a": "\frac{1}{2} \times \(x\) \beta"}', {"a": r"\frac{1}{2} \times \(x\) \beta"}),
        (r'{"a": "\\frac{1}{2}\nSo \"x\" \u00e9"}', {"a": '\\frac{1}{2}\nSo "x" é'}),
        (r'{"a": "C:\users \u12"}', {"a": r"C:\users \u12"}),
        ("{'a': True, 'b': None, 'c': (\"it's\",)}", {"a": True, "b": None, "c": ["it's"]}),
        ('Draft: {"a": 1}\nBetter: {"a": 2}. Done [1].', {"a": 2}),
        ('I use { for sets. {"a": 1}', {"a": 1}),
        (r'\boxed{ {"a": 1} } since \frac{1}{2}', {"a": 1}),
        ('The list [see {"a": {"b": "}"}}]', {"a": {"b": "}"}}),
        ('<think>maybe {"a": 1}</think>\n\n{"a": 2}', {"a": 2}),
        ('<think>x</think>```\n{"a": "</b>"}\n```', {"a": "</b>"}),
        ('{"a": "</think>"}', {"a": "</think>"}),
        ('A 5" pipe: {"a": 1}', {"a": 1}),
        ('{"a": 1} trailing "quote and { brace', {"a": 1}),
        ("[1, 2,]", [1, 2]),
        ("Steps:\n[1, 2] then [3]", [3]),
        ("```\n42\n```", 42),
    ],
)  # fmt: skip
def test_what_models_write(reply: str, value: object) -> None:
    assert find_json(reply) == value


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "  \n",
        "no braces",
        '<think>{"a": 1}',
        '<think>{"a": 1}</think>',
        '{"a": {"b": 1}, "c": ',
        '{"a": {"b": 1}, oops}',
        '[{"b": 1}, oops]',
        '{"a": [x {"b": 1}], oops}',
        '{"a": NaN}',
        "{1, 2}",
        "{'a': b'x'}",
    ],
)
def test_what_is_no_json(reply: str) -> None:
    with pytest.raises(ValueError):
        find_json(reply)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda n: "{" * n,
        lambda n: "[" * n + "]" * n,
        lambda n: '{"a":' * n + "1" + "}" * n,
        lambda n: "(" * n + "{" + "(" * n + "}",
        lambda n: "{ {" * n + "} }" * n,
        lambda n: "[x" * n + "]" * n,
        lambda n: '{"' + '\\"' * n,
        lambda n: '" \\" ' * n + "{",
        lambda n: "{}," * n + "{",
        lambda n: "{'a'" + "," + " " * n + "," * n + "}",
        lambda n: "[1]" * n,
        lambda n: "{x}" * n,
        lambda n: "\\" * n + "{" + "\\" * n + "}",
        lambda n: "</think>" * n,
        lambda n: "```json\n" * n + "```",
    ],
)
def test_hostile_replies_end(hostile: Callable[[int], str]) -> None:
    """A quadratic step would take minutes at this size."""
    try:
        find_json(hostile(50_000))
    except ValueError as error:
        assert len(str(error)) < 200
