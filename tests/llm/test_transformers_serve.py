"""A real server that speaks the protocol, with a tiny model of random weights."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tracelift_groups.errors import UserError
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Schema
from tracelift_groups.llm.session import open_session
from tracelift_groups.llm.settings import ModelSettings

needs = ("transformers", "torch", "fastapi", "uvicorn", "tokenizers")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in needs),
        reason="needs transformers[serving] and torch",
    ),
]

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
STARTS_WITHIN_S = 120


class Served(NamedTuple):
    url: str
    model: str
    log: Path


def make_model(folder: Path) -> None:
    """Write a model with a byte for a token, which writes nonsense."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {sign: number for number, sign in enumerate([*alphabet, "<end>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>", chat_template=TEMPLATE
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        eos_token_id=vocabulary["<end>"],
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    make_model(folder / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    program = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", program, "serve", str(folder / "model"), *options],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/health", server, folder / "log")
            yield Served(f"http://127.0.0.1:{port}/v1", str(folder / "model"), folder / "log")
        finally:
            server.terminate()
            server.wait()


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"transformers serve did not start:\n{log.read_text(errors='replace')[-2000:]}")


def ask(settings: ModelSettings, *requests: Request) -> tuple[list[Answer], dict[str, object]]:
    async def main() -> tuple[list[Answer], dict[str, object]]:
        async with open_session(settings) as session:
            return await session.ask_all(requests), session.account.summary()

    return asyncio.run(main())


def of(served: Served, prompt: str, **fields: object) -> Request:
    return Request(
        **{"task": "t", "model": served.model, "prompt": prompt, "max_tokens": 8} | fields
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_the_protocol(served: Served, tmp_path: Path, api: str) -> None:
    settings = ModelSettings(
        served.model, base_url=served.url, concurrency=4, cache=tmp_path / "cache", attempts=2
    )
    requests = [of(served, f"What is {n}?", api=api) for n in range(4)]
    answers, account = ask(settings, *requests)
    for answer in answers:
        # A random model hardly ever ends by itself.
        assert isinstance(answer, Reply) or (answer.reason == "truncated"), answer
        assert answer.usage.input_tokens, answer
        assert answer.usage.output_tokens is not None
    assert account["model_calls"] == 4
    assert account["input_tokens"] == sum(answer.usage.input_tokens or 0 for answer in answers)
    again, account = ask(settings, *requests)
    assert again == answers
    assert (account["model_calls"], account["answers_from_cache"]) == (0, 4)


def test_a_schema_that_is_ignored_is_found_out(served: Served, tmp_path: Path) -> None:
    settings = ModelSettings(served.model, base_url=served.url, cache=tmp_path / "cache")
    schema = Schema("s", {"type": "object", "properties": {"n": {"type": "integer"}}})
    (answer,), account = ask(settings, of(served, "n?", schema=schema))
    assert isinstance(answer, Reply) or answer.reason == "truncated"
    assert account["model_calls"] == 2


def test_another_model_is_refused_in_one_line(served: Served) -> None:
    settings = ModelSettings("other", base_url=served.url)
    with pytest.raises(UserError, match="no model 'other'"):
        ask(settings, Request("t", "other", "x"))


def test_a_reply_that_takes_too_long(served: Served) -> None:
    settings = ModelSettings(served.model, base_url=served.url, timeout_s=0.02, attempts=1)
    try:
        answers, _ = ask(settings, of(served, "x" * 300, max_tokens=150))
    except UserError as error:
        assert "no reply within 0.02 s" in str(error)
    else:
        assert isinstance(answers[0], Failed)
