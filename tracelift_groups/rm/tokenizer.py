"""Tokenizers: the backbone's own, or one trained on the texts of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from tracelift_groups.errors import UserError

_PAD, _EOS = "<|pad|>", "<|end|>"


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Any:
    """Train a byte-level BPE tokenizer whose digits are single tokens.

    Merged digits would make 480 and 48 unrelated words; digit by digit, a changed figure is a
    change of that digit alone. Bytes cover any text, so there is no unknown token.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[_PAD, _EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrap: Any = PreTrainedTokenizerFast
    # Bytes know every text, but Qwen2Tokenizer, which AutoTokenizer makes of any tokenizer beside
    # a Qwen2, would add an unknown token of its own, with a number that the model has no row for.
    return wrap(tokenizer_object=tokenizer, pad_token=_PAD, eos_token=_EOS, unk_token=_PAD)


def load_tokenizer(folder: Path) -> Any:
    """Load a tokenizer from a model's folder, with a padding token.

    Raises:
        UserError: No tokenizer there.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(f"no tokenizer ({error})", where=str(folder)) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
