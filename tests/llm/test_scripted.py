"""The scripted model's replies: to references, twins and anything else."""

from __future__ import annotations

import gzip
import json
import pickle

import pytest

from tests.conftest import write_jsonl
from tests.llm.scripted_server import ANY_OBJECT, asked, scripted, told
from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Failed, Reply, Schema
from tracelift_groups.llm.scripted import ScriptedModel
from tracelift_groups.llm.scripted.chance import chance
from tracelift_groups.llm.scripted.reading import read_prompt
from tracelift_groups.llm.scripted.schema import smallest
from tracelift_groups.perturb.code.runs import Runs, sandbox_of
from tracelift_groups.perturb.math.checks import check_sound
from tracelift_groups.perturb.math.evidence import Unconfirmed
from tracelift_groups.perturb.math.trace import Problem, parse_trace
from tracelift_groups.perturb.template import load_templates
from tracelift_groups.prompts import render_prompt
from tracelift_groups.records import Seed
from tracelift_groups.reference import NoReference
from tracelift_groups.reference.code import gold_reference as code_reference
from tracelift_groups.reference.math import gold_reference
from tracelift_groups.seeds import SeedSource
from tracelift_groups.verify.sandbox import SandboxUnavailableError

MATH = [seed for seed in SeedSource("sample") if isinstance(seed, Seed)]
CODE = [seed for seed in SeedSource("sample-code") if isinstance(seed, Seed)]
DIMENSIONS = {"calculation_correctness": "the numbers", "answer_support": "the end"}
BRIEF = "Say it more briefly: join steps where that reads well."
MORE = "Say a little more: one more reason, or a step taken apart."


@pytest.fixture(scope="module")
def runs() -> Runs:
    try:
        return sandbox_of()
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


def solve(seed: Seed) -> str:
    return render_prompt("reference", domain=seed.domain, problem=seed.problem, entry_point="")


def reword(seed: Seed, trace: str, manner: str = "Keep about the length; other words.") -> str:
    return render_prompt(
        "twin", domain=seed.domain, problem=seed.problem, trace=trace, manner=manner
    )


def confirmed(seed: Seed, reply: dict[str, str]) -> bool:
    try:
        found = gold_reference(Problem(seed.problem), reply["reasoning"], reply["answer"])
    except NoReference:
        return False
    return reply["answer"] == seed.answer and found.text == reply["reasoning"]


# --- what was asked ------------------------------------------------------------------------------


def test_every_prompt_is_recognised():
    math, code = load_templates("math")[0], load_templates("code")[0]
    fields = {"problem": "A problem\nof two lines", "trace": "One.\n\nTwo."}

    got = read_prompt(render_prompt("reference", domain="math", entry_point="", **fields))
    assert got and (got.stage, got.domain, got.problem) == ("reference", "math", fields["problem"])
    got = read_prompt(render_prompt("reference", domain="code", entry_point="f", **fields))
    assert got and (got.stage, got.domain, got.entry_point) == ("reference", "code", "f")

    for domain in ("math", "code"):
        got = read_prompt(render_prompt("twin", domain=domain, manner=MORE, **fields))
        assert got and (got.stage, got.domain, got.manner) == ("twin", domain, MORE)
        assert got.texts == (fields["trace"],)
        prompt = render_prompt("judge", domain=domain, dimensions=DIMENSIONS, **fields)
        got = read_prompt(prompt)
        assert got and (got.stage, got.domain, got.texts) == ("judge", domain, (fields["trace"],))
        assert got.dimensions == tuple(DIMENSIONS)

    for template, program in ((math, None), (code, "x = 1\nprint(x)")):
        wants = program is not None
        got = read_prompt(
            render_prompt(
                "perturb", template=template, program=program, wants_program=wants, **fields
            )
        )
        assert got and (got.stage, got.template, got.program) == ("perturb", template, program)
        assert (got.domain, got.wants_program) == (template.domain, wants)
        assert (got.problem, got.texts) == (fields["problem"], (fields["trace"],))

    got = read_prompt(render_prompt("pair", first="One.", second="Two.", **fields))
    assert got and (got.stage, got.texts) == ("pair", ("One.", "Two."))

    assert read_prompt("What is the capital of France?") is None


def test_the_same_request_gets_the_same_reply():
    request = asked(solve(MATH[0]))
    first, second = ScriptedModel(), pickle.loads(pickle.dumps(ScriptedModel()))
    assert first.answer(request) == second.answer(request)
    several = {first.text(asked(solve(MATH[0]), sample)) for sample in range(8)}
    assert len(several) > 1


def test_chance_is_even():
    drawn = [chance("a", number) for number in range(4000)]
    assert all(0 <= one < 1 for one in drawn)
    for low in (0, 0.25, 0.5, 0.75):
        assert 900 < sum(low <= one < low + 0.25 for one in drawn) < 1100


def test_a_reply_beyond_the_limit_is_truncated_and_counted():
    reply = scripted().answer(asked(solve(MATH[0]), max_tokens=2048))
    assert isinstance(reply, Reply)
    assert reply.usage.output_tokens == -(-len(reply.text) // 4)
    assert reply.usage.input_tokens == -(-len(solve(MATH[0])) // 4)
    cut = scripted().answer(asked(solve(MATH[0]), max_tokens=10))
    assert isinstance(cut, Failed)
    assert (cut.reason, cut.usage.output_tokens) == ("truncated", 10)


def test_without_a_schema_json_comes_in_all_sorts_of_wrapping():
    texts = [scripted().text(asked(solve(MATH[0]), n, schema=None)) for n in range(24)]
    assert any(text.startswith("{") for text in texts)
    assert any(text.startswith("```json") for text in texts)
    assert any(text.startswith("<think>") for text in texts)
    for text in texts:
        last = text[text.index('{"reasoning"') : text.rindex("}") + 1]
        assert set(json.loads(last)) == {"reasoning", "answer"}


# --- references ----------------------------------------------------------------------------------


def test_known_word_problems_are_solved():
    for seed in MATH:
        for sample in range(2):
            assert confirmed(seed, told(solve(seed), sample))


def test_a_share_of_the_solutions_is_wrong():
    right = [
        confirmed(seed, told(solve(seed), sample, bad_share=0.15))
        for seed in MATH
        for sample in range(4)
    ]
    assert 0.10 < 1 - sum(right) / len(right) < 0.20
    assert all(told(solve(seed), bad_share=1.0)["answer"] != seed.answer for seed in MATH)


def test_known_programs_are_written_and_a_bad_one_fails(runs):
    def verdict(seed: Seed, bad_share: float) -> str:
        reply = told(solve(seed), bad_share=bad_share)
        try:
            code_reference(seed.problem, reply["reasoning"], reply["program"], seed.tests, runs)
        except NoReference as reason:
            return reason.reason
        return "passes"

    assert {verdict(seed, 0.0) for seed in CODE[:8]} == {"passes"}
    bad = [verdict(seed, 1.0) for seed in CODE[:8]]
    assert bad.count("passes") <= 2  # what is wrong with a program may fail no test


def test_an_unknown_problem_gets_an_honest_attempt():
    problem = "Otto has 7 hens and buys 12 more, 3 of them white. How many are not white?"
    prompt = render_prompt("reference", domain="math", problem=problem, entry_point="")
    reply = told(prompt)
    trace = parse_trace(reply["reasoning"], Problem(problem))
    assert not trace.false_equations
    assert str(trace.answer) == reply["answer"] == "44"


@pytest.mark.parametrize("entry_point", ["", "count", "Solution().countAll"])
def test_an_unknown_program_is_written_for_the_right_door(entry_point):
    problem = "Count what nobody ever counted."
    prompt = render_prompt("reference", domain="code", problem=problem, entry_point=entry_point)
    names: dict[str, object] = {"input": lambda: (_ for _ in ()).throw(EOFError)}
    exec(told(prompt)["program"], names)
    if entry_point:
        assert eval(f"{entry_point}([1])", names) == ([1],)


def test_a_file_of_seeds_is_known_too(tmp_path):
    problem = "Ottilie has 7 hens and buys 12 more. How many hens has she?"
    answer = "She has 7 + 12 = <<7+12=19>>19 hens."
    gsm8k = {"question": problem, "answer": f"{answer}\n#### 19"}
    ours = {"problem": f"{problem} ", "answer": "19", "reasoning": answer}
    program = {"problem": "Say so.", "reasoning": "Say it.", "solution": "print(1)", "tests": None}
    packed = tmp_path / "rows.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(gsm8k).encode()))
    for file in (packed, write_jsonl(tmp_path / "ours.jsonl", [ours, program, "no row"])):
        model = ScriptedModel(file, bad_share=0)
        prompt = render_prompt("reference", domain="math", problem=problem, entry_point="")
        assert json.loads(model.text(asked(prompt)))["answer"] == "19"
    prompt = render_prompt("reference", domain="code", problem="Say so.", entry_point="")
    assert json.loads(model.text(asked(prompt)))["program"] == "print(1)"
    with pytest.raises(UserError, match=r"none\.jsonl"):
        ScriptedModel(tmp_path / "none.jsonl")


# --- twins ---------------------------------------------------------------------------------------


def twin_of(seed: Seed, bad_share: float = 0.0, manner: str = "") -> tuple[str, str, bool]:
    """The reference, its rewording, and whether that is as sound."""
    assert seed.reasoning is not None and seed.answer is not None
    reference = gold_reference(Problem(seed.problem), seed.reasoning, seed.answer)
    text = told(reword(seed, reference.text, manner), bad_share=bad_share)["reasoning"]
    try:
        check_sound(reference, parse_trace(text, Problem(seed.problem)))
    except Unconfirmed:
        return reference.text, text, False
    return reference.text, text, True


def test_twins_are_sound_and_other():
    twins = [twin_of(seed) for seed in MATH[:40]]
    assert sum(sound and before != text for before, text, sound in twins) >= 36


def test_twins_follow_their_manner():
    growth = {
        manner: sum(
            len(text) - len(before)
            for before, text, _ in (twin_of(seed, manner=manner) for seed in MATH[:20])
        )
        for manner in (BRIEF, MORE)
    }
    assert growth[BRIEF] < 0 < growth[MORE]


def test_bad_twins_do_not_pass():
    made = [twin_of(seed, bad_share=1.0) for seed in MATH[:40]]
    passing = [text for before, text, sound in made if sound and before != text]
    # A number of the prose that happens to be one of the problem's gets by.
    assert sum("The answer is 12." not in text for text in passing) <= 2
    assert any("The answer is 12." in text for _, text, _ in made)
    assert any(before == text for before, text, _ in made)


def test_twins_of_plans_are_sound_and_say_more_of_a_known_program(runs):
    from tracelift_groups.perturb.code.checks import check_sound as check_plan
    from tracelift_groups.perturb.code.text import CodeTrace

    grown = []
    for seed in CODE[:6]:
        reference = code_reference(
            seed.problem, seed.reasoning, seed.reference_solution, seed.tests, runs
        )
        for manner in (BRIEF, MORE):
            text = told(reword(seed, reference.trace.text, manner))["reasoning"]
            check_plan(reference, CodeTrace(text))
            grown.append((manner, len(text) - len(reference.trace.text)))
    assert sum(growth > 0 for manner, growth in grown if manner == MORE) >= 5
    assert all(growth < 20 for manner, growth in grown if manner == BRIEF)


# --- anything else -------------------------------------------------------------------------------


def test_another_prompt_gets_a_short_text_or_the_smallest_json():
    assert len(scripted().text(asked("Hello", schema=None))) < 100
    shape = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    assert scripted().text(asked("Hello", schema=Schema("s", shape))) == '{"ok": false}'
    assert scripted().text(asked("Hello", schema=ANY_OBJECT)) == "{}"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "number"}, 0),
        ({"type": "string", "minLength": 2}, "xx"),
        ({"type": "array", "items": {"type": "null"}, "minItems": 2}, [None, None]),
        ({"type": ["string", "null"]}, ""),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, False),
        (
            {
                "$defs": {"one": {"type": "object", "required": ["n"], "properties": {"n": {}}}},
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/one"}, "b": {"type": "string"}},
                "required": ["a"],
            },
            {"a": {"n": None}},
        ),
    ],
)
def test_the_smallest_json(schema, value):
    assert smallest(schema) == value


def test_a_schema_that_asks_for_itself_ends():
    endless = {"type": "object", "required": ["me"], "properties": {"me": {"$ref": "#"}}}
    assert "me" in smallest(endless)
