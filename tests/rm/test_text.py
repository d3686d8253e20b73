from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rm.small import SCRATCH, save_small, small_recipe
from tracelift_groups.errors import UserError
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.score import Scorer
from tracelift_groups.rm.text import Subject, TextEncoder, input_text
from tracelift_groups.rm.tokenizer import load_tokenizer, train_tokenizer

PROBLEM = "Sam has 12 apples and buys 30 more. How many are there?"
TESTS = "\n".join(f"input {n}\noutput {n * n}" for n in range(40))
GOOD = "He has 12.\nHe buys 30.\n12 + 30 = 42."
BAD = "He has 12.\nHe buys 30.\n12 + 30 = 45, and those are all the apples that he has."


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([input_text(Subject(PROBLEM, "code", TESTS), GOOD)], 400)


def test_the_text_is_the_published_one() -> None:
    assert input_text(Subject("How many?", "math"), "One.\nTwo.") == (
        "<task>math</task>\n<type>math</type>\n<problem>\nHow many?\n</problem>\n"
        "<reasoning>\nOne.\nTwo.\n</reasoning>"
    )
    assert input_text(Subject("Sort.", "code", "1 2"), "Swap.") == (
        "<task>code</task>\n<type>code</type>\n<problem>\nSort.\n</problem>\n"
        "<tests>\n1 2\n</tests>\n<reasoning>\nSwap.\n</reasoning>"
    )


def test_digits_are_single_tokens(tokenizer: Any) -> None:
    words = tokenizer.convert_ids_to_tokens(tokenizer("it is 1234.5")["input_ids"])
    assert [word for word in words if any(c.isdigit() for c in word)] == ["1", "2", "3", "4", "5"]


def test_a_trained_tokenizer_gives_any_text_back(tokenizer: Any) -> None:
    odd = "naïve ≤ 3½\t“quoted” 🙂"
    assert tokenizer.decode(tokenizer(odd)["input_ids"]) == odd


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama"])
def test_a_saved_tokenizer_gets_no_word_that_the_model_has_no_row_for(
    architecture: str, tmp_path: Path
) -> None:
    scratch = {**SCRATCH, "vocabulary": 300, "architecture": architecture}
    folder = save_small(tmp_path / "rm", small_recipe(backbone={"scratch": scratch}))
    assert len(load_tokenizer(folder)) == 300
    odd = "<|endoftext|> <s> </s> <unk> <|im_start|> é"
    (score,) = Scorer.load(folder, device="cpu").score([Item(odd, odd)])
    assert 0 < score.score < 1


def test_eos_is_appended_once_and_only_when_asked(tokenizer: Any) -> None:
    eos = tokenizer.eos_token_id
    assert TextEncoder(tokenizer, 64, append_eos=True).encode(["a b"])[0].count(eos) == 1
    assert TextEncoder(tokenizer, 64, append_eos=True).encode(["a<|end|>"])[0].count(eos) == 1
    assert eos not in TextEncoder(tokenizer, 64, append_eos=False).encode(["a b"])[0]


def test_tests_are_shortened_and_the_reasoning_survives(tokenizer: Any) -> None:
    full = TextEncoder(tokenizer, 10_000, append_eos=True)
    subject = Subject(PROBLEM, "code", TESTS)
    whole = len(full.fit(subject, [BAD]).ids[0] or [])
    bare = len(full.fit(subject._replace(tests=None), [BAD]).ids[0] or [])
    for limit in range(bare + 10, whole, 23):
        fitted = TextEncoder(tokenizer, limit, append_eos=True).fit(subject, [GOOD, BAD])
        assert fitted.tests_cut
        good, bad = (tokenizer.decode(ids, skip_special_tokens=True) for ids in fitted.ids)
        for text, reasoning in ((good, GOOD), (bad, BAD)):
            assert text.endswith(f"<reasoning>\n{reasoning}\n</reasoning>")
            assert f"<problem>\n{PROBLEM}\n</problem>" in text
        # The same cut for both: they differ by their reasoning alone.
        assert good.partition("<reasoning>")[0] == bad.partition("<reasoning>")[0]


def test_what_does_not_fit_is_left_out_not_cut(tokenizer: Any) -> None:
    encoder = TextEncoder(tokenizer, 10_000, append_eos=True)
    limit = len(encoder.fit(Subject(PROBLEM), [GOOD]).ids[0] or [])
    fitted = TextEncoder(tokenizer, limit, append_eos=True).fit(
        Subject(PROBLEM), [GOOD, GOOD + "\nSo there are 42 of them."]
    )
    assert fitted.ids[0] is not None
    assert fitted.ids[1] is None
    assert not fitted.tests_cut


def test_a_reasoning_is_cut_at_its_end_for_scoring(tokenizer: Any) -> None:
    encoder = TextEncoder(tokenizer, 120, append_eos=True)
    long = "".join(f"Step {n}: {n} + 1 = {n + 1}.\n" for n in range(100))
    ids = encoder.cut_reasoning(Subject(PROBLEM, "code", TESTS), long)
    text = tokenizer.decode(ids, skip_special_tokens=True)
    assert 90 <= len(ids) <= 120
    assert text.endswith("\n</reasoning>")
    assert long.startswith(text.partition("<reasoning>\n")[2].removesuffix("\n</reasoning>"))


def test_a_problem_that_fills_the_model_is_told(tokenizer: Any) -> None:
    with pytest.raises(UserError, match="the problem alone has more than the model's 30 tokens"):
        TextEncoder(tokenizer, 30, append_eos=True).cut_reasoning(Subject(PROBLEM), GOOD)
