from __future__ import annotations

from pathlib import Path

import pytest

from tracelift_groups.assets import asset
from tracelift_groups.errors import UserError
from tracelift_groups.llm.account import Account, Budget, BudgetSpent
from tracelift_groups.llm.prices import Price, prices_for, read_prices
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Usage
from tracelift_groups.llm.settings import ModelSettings

REQUEST = Request("perturb", "m", "x")
PRICE = Price(input=2.0, output=8.0, batch=0.5)
PRICES = """
models:
  mine: {input: 1, output: 2}
  gpt-5-mini: {input: 9, output: 9, source: my contract, date: 2026-01-01}
"""


def settle(account: Account, request: Request, answer: Answer) -> None:
    """What an answer does to an account."""
    account.pay(request, answer)
    account.answered(request, answer)


def test_a_call_costs_what_its_tokens_cost() -> None:
    usage = Usage(1_000_000, 500_000)
    assert PRICE.of(usage) == 2.0 + 4.0
    assert PRICE.of(usage, batch=True) == 3.0
    assert PRICE.of(Usage(None, 5)) is None
    assert PRICE.of(Usage(5, None)) is None


def test_shipped_prices_are_sourced_and_hold_at_openai_only() -> None:
    shipped = read_prices(asset("data", "prices.yaml"))
    for price in shipped.values():
        assert price.source
        assert price.date
        assert 0 < price.input < price.output < 100
        assert price.batch == 0.5
    assert prices_for(ModelSettings("gpt-5-mini"))["gpt-5-mini"].input == 0.25
    assert prices_for(ModelSettings("gpt-5-mini", base_url="http://localhost:1/v1")) == {}


def test_the_users_prices_come_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(PRICES)
    prices = prices_for(ModelSettings("m", prices=path))
    assert prices["mine"] == Price(input=1, output=2)
    assert prices["gpt-5-mini"].input == 9
    assert "gpt-5" in prices
    own = prices_for(ModelSettings("m", base_url="http://localhost:1/v1", prices=path))
    assert set(own) == {"mine", "gpt-5-mini"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: {m: {input: 1, output: 2, cached: 3}}", "models.m.cached"),
        ("models: {m: {input: -1, output: 2}}", "models.m.input"),
        ("models: {m: {input: .inf, output: 2}}", "models.m.input"),
        ("models: {m: {input: 1}}", "models.m.output"),
        ("model: {}", "models"),
        ("- 1", "the file"),
        ("a: [", "no YAML"),
    ],
)
def test_a_file_of_prices_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_prices(path)
    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        read_prices(tmp_path / "none.yaml")


def test_sums() -> None:
    account = Account({"m": PRICE})
    account.sending("m")
    account.sending("m")
    account.sending("m")
    settle(account, REQUEST, Reply("x", Usage(1_000_000, 0)))
    settle(account, REQUEST, Failed("truncated", "", Usage(0, 1_000_000)))
    settle(account, Request("judge", "m", "x"), Failed("unavailable"))
    account.reused(2)
    assert account.summary() == {
        "model_calls": 3,
        "answers_from_cache": 2,
        "input_tokens": 1_000_000,
        "output_tokens": 1_000_000,
        "usd": 10.0,
        "failures": {"truncated": 1, "unavailable": 1},
        "answers_by_task": {"judge": 1, "perturb": 2},
    }


def test_money_is_not_guessed() -> None:
    account = Account({"m": PRICE})
    settle(account, Request("t", "other", "x"), Reply("x", Usage(5, 5)))
    assert (account.usd, account.input_tokens) == (None, 5)
    account = Account({"m": PRICE})
    settle(account, REQUEST, Reply("x"))
    assert account.usd is None
    assert Account().usd == 0.0, "nothing was called"


def test_a_limit_in_dollars_lets_the_calls_under_way_through() -> None:
    account = Account({"m": PRICE}, Budget(max_cost=1.0))
    for _ in range(5):
        account.sending("m")
    for _ in range(5):
        settle(account, REQUEST, Reply("x", Usage(90_000, 0)))
    account.sending("m")
    settle(account, REQUEST, Reply("x", Usage(100_000, 0)))
    assert account.dollars == pytest.approx(1.1)
    with pytest.raises(BudgetSpent, match=r"--max-cost 1 is reached: 6 calls, 550000 tokens, 1\.1"):
        account.sending("m")


def test_a_limit_in_dollars_needs_prices_and_token_counts() -> None:
    with pytest.raises(UserError, match=r"price of 'x' is not known.*--prices"):
        Account.of(ModelSettings("x", base_url="http://localhost:1/v1", max_cost=1.0))
    Account.of(ModelSettings("gpt-5-mini", max_cost=1.0))
    account = Account({"m": PRICE}, Budget(max_cost=1.0))
    with pytest.raises(UserError, match="price of 'judge' is not known"):
        account.sending("judge")
    with pytest.raises(UserError, match="does not say how many tokens"):
        settle(account, REQUEST, Reply("x"))
    settle(account, REQUEST, Failed("unavailable"))


def test_a_limit_of_calls_is_never_exceeded() -> None:
    account = Account(budget=Budget(max_calls=3))
    account.sending("m", 2)
    with pytest.raises(BudgetSpent):
        account.sending("m", 2)
    account.sending("m")
    with pytest.raises(BudgetSpent, match="--max-calls 3 is reached: 3 calls, 0 tokens spent"):
        account.sending("m")
    assert account.calls == 3


def test_cents_add_up_to_the_limit() -> None:
    account = Account({"m": Price(input=1, output=1)}, Budget(max_cost=0.1))
    for _ in range(10):
        account.sending("m")
        settle(account, REQUEST, Reply("x", Usage(10_000, 0)))
    with pytest.raises(BudgetSpent):
        account.sending("m")
