"""The reward model as a one-logit sequence classifier: what vLLM, SGLang and TRL load.

``AutoModelForSequenceClassification`` reads the last token that is not padding through one linear
layer without a bias. That is our total head less its bias, so the classifier's logit is

    logit = total head - bias

which ranks exactly as the total head does; ``tlg_logit_bias`` in ``config.json`` keeps the bias.
The rubric heads have no place in it. The classifier finds the last token by comparing with the
padding token, so that must not be the token that ends a text, and the tokenizer saved here adds
that end itself: any program that tokenizes the input text gets what the model was trained on.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers.processors import Sequence as Processors
from tokenizers.processors import TemplateProcessing
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification

from tracelift_groups.errors import UserError
from tracelift_groups.rm.folder import FORMAT, Native, read_config
from tracelift_groups.rm.model import RewardModel
from tracelift_groups.rm.published import exported_recipe, load_backbone, read_heads
from tracelift_groups.rm.tokenizer import load_tokenizer

BIAS = "tlg_logit_bias"
_HEAD = "score.weight"


def is_classifier(folder: Path) -> bool:
    """Whether a folder holds a classifier that :func:`save_classifier` wrote."""
    return BIAS in read_config(folder)


def load_classifier(folder: Path, *, dtype: torch.dtype | None = None) -> Native:
    """Load a classifier onto the CPU as a reward model without rubric heads.

    Its score is the sigmoid of the logit with its bias: the total head's half of what the model
    was exported from.

    Raises:
        UserError: Missing or damaged weights.
    """
    try:
        config = AutoConfig.from_pretrained(folder)
        recipe = exported_recipe(config, folder)
        backbone, lost = load_backbone(folder, config, recipe, dtype)
        head = read_heads(folder, (_HEAD,)).get(_HEAD)
    except (OSError, SafetensorError) as error:
        raise UserError(f"damaged reward model ({error})", where=str(folder)) from error
    if head is None or lost:
        missing = [*lost, *([_HEAD] if head is None else [])]
        raise UserError(f"weights are missing: {', '.join(missing[:4])}", where=str(folder))
    model = RewardModel(backbone, config.hidden_size, "last", dimensions=0)
    bias = torch.tensor([getattr(config, BIAS)])
    model.total_head.load_state_dict({"weight": head, "bias": bias})
    info = {"format": FORMAT, "dimensions": {}, "layout": "sequence-classification"}
    return Native(model.eval(), load_tokenizer(folder), recipe, info)


def save_classifier(folder: Path, model: RewardModel, tokenizer: Any) -> None:
    """Write the classifier.

    Args:
        folder: An empty folder.
        model: Of a decoder architecture that transformers has a classifier for; last pooling.
        tokenizer: With its end-of-text token added and a padding token of its own.

    Raises:
        UserError: Another pooling or architecture.
    """
    backbone: Any = model.backbone
    config = copy.deepcopy(backbone.config)
    if model.pooling != "last":
        raise UserError(
            "a sequence classifier reads one token, this model the mean of all",
            way_out="use --as native",
        )
    config.num_labels = 1
    config.pad_token_id = tokenizer.pad_token_id
    setattr(config, BIAS, model.total_head.bias.item())
    try:
        auto: Any = AutoModelForSequenceClassification
        classifier = auto.from_config(config, attn_implementation="sdpa", dtype=backbone.dtype)
    except ValueError as error:
        raise UserError(
            f"transformers has no sequence classifier for {config.model_type}",
            way_out="use --as native",
        ) from error
    head = getattr(classifier, "score", None)
    if not isinstance(head, nn.Linear) or head.bias is not None:
        raise UserError(
            f"the sequence classifier of {config.model_type} is no linear layer on the last token",
            way_out="use --as native",
        )
    classifier.base_model.load_state_dict(backbone.state_dict())
    # In the head's own precision, whatever the backbone's.
    head.weight = nn.Parameter(model.total_head.weight.detach().clone())
    classifier.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def self_ending(native: Native) -> Any:
    """Return a copy of the tokenizer that ends texts as the model was trained to read them.

    Without an end in training it is a plain copy.
    """
    tokenizer = copy.deepcopy(native.tokenizer)
    if native.recipe.text.eos == "append":
        name, number = tokenizer.eos_token, tokenizer.eos_token_id
        ending = TemplateProcessing(single=f"$A {name}", special_tokens=[(name, number)])
        backend = tokenizer.backend_tokenizer
        before = backend.post_processor
        backend.post_processor = ending if before is None else Processors([before, ending])
    return tokenizer


def with_padding_of_its_own(tokenizer: Any) -> Any:
    """Give the tokenizer a padding token that ends no text, if its own does.

    Raises:
        UserError: No special token is to spare.
    """
    if tokenizer.pad_token_id not in (None, tokenizer.eos_token_id):
        return tokenizer
    for number, token in sorted(tokenizer.added_tokens_decoder.items()):
        if token.special and number != tokenizer.eos_token_id:
            tokenizer.pad_token = token.content
            return tokenizer
    raise UserError("the tokenizer has no special token that could serve as padding")


@torch.inference_mode()
def classifier_logits(
    folder: Path, texts: list[str], *, batch: int, side: str, device: str
) -> list[float]:
    """Logits of a saved classifier as any user of it gets them, bias added back, in fp32."""
    tokenizer = load_tokenizer(folder)
    tokenizer.padding_side = side
    auto: Any = AutoModelForSequenceClassification
    model = auto.from_pretrained(folder, dtype=torch.float32).to(device).eval()
    logits: list[float] = []
    for start in range(0, len(texts), batch):
        inputs = tokenizer(texts[start : start + batch], padding=True, return_tensors="pt")
        found = model(
            input_ids=inputs["input_ids"].to(device),
            attention_mask=inputs["attention_mask"].to(device),
        ).logits
        logits += found[:, 0].tolist()
    return [logit + getattr(model.config, BIAS) for logit in logits]
