"""A causal language model in this process, asked like an endpoint."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from tracelift_groups.errors import UserError
from tracelift_groups.grpo.generate import Sampled, generate
from tracelift_groups.grpo.prompting import continuation, model_input
from tracelift_groups.llm.limiter import Stopped
from tracelift_groups.llm.request import Answer, Failed, Reply, Request, Usage
from tracelift_groups.rm.device import device_named

_logging: Any = logging
_logging.disable_progress_bar()  # its bars for reading shards would tear ours
_BATCH_TOKENS = 32_768
_BATCH_ROWS = 128
_EDGE = 1 << 20


class _Waiting(NamedTuple):
    request: Request
    ids: list[int]
    future: asyncio.Future[Answer]


class LocalModel:
    """Answers requests; those that arrive together are generated together.

    Each reply is sampled with a seed from its request's key, so it is the same in any batch.

    Args:
        model: In evaluation mode, on its device.
        tokenizer: With a chat template, chat requests become the user's turn.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._eos = eos_ids(model, tokenizer)
        self._pad = pad_id(tokenizer, self._eos)
        self._room = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30)
        self._queue: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="generate")

    @classmethod
    def load(cls, folder: Path, device: str | None = None) -> LocalModel:
        """Load a folder that ``transformers`` wrote; bf16 on a GPU, fp32 elsewhere.

        Raises:
            UserError: No such folder, or no causal language model in it.
        """
        if not folder.is_dir():
            raise UserError("no such folder", where=f"local:{folder}")
        chosen = device_named(device)
        dtype = torch.bfloat16 if chosen.type == "cuda" else torch.float32
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=dtype, output_loading_info=True
            )
            model, loading = loaded
            if missing := sorted(loading["missing_keys"]):
                # They would be random numbers, and every reply with them.
                raise ValueError(f"no weights for {missing[0]}")
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            said = str(error).strip().partition("\n")[0]
            raise UserError(
                f"not a causal language model with its tokenizer ({said})",
                where=f"local:{folder}",
                way_out="give a folder that save_pretrained wrote",
            ) from error
        return cls(model.to(chosen).eval(), tokenizer)

    async def ask(self, request: Request) -> Answer:
        """Return the reply to a request, once the batch that it falls into is done."""
        read = model_input if request.api == "chat" else continuation
        ids = read(self.tokenizer, request.prompt)
        if len(ids) + request.max_tokens > self._room:
            return Failed(
                "too_long", f"{len(ids)} + {request.max_tokens} tokens, room for {self._room}"
            )
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request, ids, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    def close(self) -> None:
        """Turn away what waits; the thread ends with the batch that it is at."""
        waiting, self._queue = self._queue, []
        for one in waiting:
            if not one.future.done():
                one.future.set_exception(Stopped())
        self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        await asyncio.sleep(0)  # let those that were asked at the same time come in
        while self._queue:
            batch = self._take()
            try:
                answers = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._generate, batch
                )
            except Exception as error:
                for one in batch:
                    if not one.future.done():
                        one.future.set_exception(error)
                continue
            for one, answer in zip(batch, answers, strict=True):
                if not one.future.done():
                    one.future.set_result(answer)

    def _take(self) -> list[_Waiting]:
        """Take a batch of requests with one setting, of about one length, from the queue."""
        self._queue.sort(key=lambda one: (_setting(one.request), len(one.ids), one.request.key))
        first = _setting(self._queue[0].request)
        rows = 0
        for one in self._queue[:_BATCH_ROWS]:
            size = (rows + 1) * (len(one.ids) + one.request.max_tokens)
            if _setting(one.request) != first or (rows and size > _BATCH_TOKENS):
                break
            rows += 1
        batch, self._queue = self._queue[:rows], self._queue[rows:]
        return batch

    def _generate(self, batch: list[_Waiting]) -> list[Answer]:
        request = batch[0].request
        sampled = generate(
            self.model,
            [one.ids for one in batch],
            [int(one.request.key[:16], 16) for one in batch],
            temperature=request.temperature,
            max_new_tokens=request.max_tokens,
            eos_ids=self._eos,
            pad_id=self._pad,
        )
        return [self._answer(one, got) for one, got in zip(batch, sampled, strict=True)]

    def _answer(self, one: _Waiting, sampled: Sampled) -> Answer:
        usage = Usage(len(one.ids), len(sampled.ids))
        if not sampled.finished:
            return Failed("truncated", f"{len(sampled.ids)} tokens without an end", usage)
        text = self.tokenizer.decode(sampled.ids, skip_special_tokens=True).strip()
        return Reply(text, usage) if text else Failed("empty", "", usage)


def _setting(request: Request) -> tuple[float, int]:
    return request.temperature, request.max_tokens


def eos_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply: the tokenizer's, and those of the model's generation config.

    Raises:
        UserError: There is none, so that no reply would end.
    """
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    found = frozenset(int(one) for one in (tokenizer.eos_token_id, *several) if one is not None)
    if not found:
        raise UserError("the tokenizer has no end token", where=str(tokenizer.name_or_path))
    return found


def pad_id(tokenizer: Any, eos: frozenset[int]) -> int:
    """A token to fill rows up with; which one does not matter, it is masked."""
    return int(tokenizer.pad_token_id) if tokenizer.pad_token_id is not None else min(eos)


def digest_of(folder: Path) -> str:
    """Twelve hex digits that tell a folder's weights from others.

    Names and sizes of all weights, with the first and last MiB of each: other weights differ
    there, and a large model is not read twice.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".safetensors", ".bin") or path.name in (
            "config.json",
            "tokenizer.json",
        ):
            size = path.stat().st_size
            digest.update(f"{path.name}:{size}:".encode())
            with path.open("rb") as file:
                digest.update(file.read(_EDGE))
                file.seek(max(0, size - _EDGE))
                digest.update(file.read(_EDGE))
    return digest.hexdigest()[:12]
