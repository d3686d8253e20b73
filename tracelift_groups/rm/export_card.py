"""The card of an exported reward model: what it is, how it is loaded, what its numbers mean."""

from __future__ import annotations

from typing import Any

from tracelift_groups.rm.classifier import BIAS
from tracelift_groups.rm.folder import Native

_INPUT = """\
## Input

One text per trace, one block per line:

```
<task>math</task>
<type>math</type>
<problem>
...
</problem>
<reasoning>
...
</reasoning>
```

`code` instead of `math` for programming, then with an optional `<tests>` block before the
reasoning. The reasoning comes without a final-answer line. Texts have at most {max_length} tokens.
"""

_NATIVE = """\
## Use

```python
from pathlib import Path
from tracelift_groups.rm.item import Item
from tracelift_groups.rm.score import Scorer

scorer = Scorer.load(Path("{name}"))
scorer.score([Item("What is 2 + 3?", "2 + 3 = 5.")])
```

or `tlg serve-rm {name}`. The score, in [0, 1], is half the mean expected label of the five rubric
heads (divided by four) and half the sigmoid of the total head.
"""

_PUBLISHED = """\
## Use

`Qwen2ForReasonRewardModel` of the published system loads this folder, and so does
`tlg serve-rm {name}`. The score, in [0, 1], is half the mean expected label of the five rubric
heads (divided by four) and half the sigmoid of the total head, read at the last token.
{ending}
"""

_CLASSIFIER = """\
## Use

```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}")
model = AutoModelForSequenceClassification.from_pretrained("{name}")
logit = model(**tokenizer(text, return_tensors="pt")).logits[0, 0]
```

vLLM (`vllm serve {name} --runner pooling`), SGLang (`--is-embedding`) and TRL load it as well;
`tlg serve-rm {name}` answers with `sigmoid(logit + bias)`.

## The logit

It is the raw output of the total head, less the head's bias ({bias:+.6f}, `{key}` in
`config.json`), which such a classifier has no place for. It was trained to rank the traces of one
problem: higher is sounder, differences matter, and a constant does not. `sigmoid(logit + bias)`
estimates the rubric total in [0, 1]. A server that applies a sigmoid of its own (vLLM does unless
`use_activation` is false) keeps the order and shifts that estimate. The five rubric heads are not
in this folder, so its numbers are not the package's score, which averages both.
{ending}
"""


def card(native: Native, flavour: str, *, name: str) -> str:
    """Write the card of an exported folder."""
    recipe, info = native.recipe, native.info
    ending = ""
    if recipe.text.eos == "append":
        ending = (
            f"\nThe tokenizer ends every text with `{native.tokenizer.eos_token}`, as in training."
        )
    body = {"native": _NATIVE, "published": _PUBLISHED}.get(flavour, _CLASSIFIER)
    config: Any = native.model.backbone.config
    facts = [
        f"- backbone: {recipe.backbone.pretrained or 'random weights'} ({config.model_type})",
        f"- pooling: {recipe.pooling}",
    ]
    for domain, dimensions in info.get("dimensions", {}).items():
        facts.append(f"- rubric, {domain}: {', '.join(dimensions)}")
    if "best" in info:
        figures = ", ".join(f"{key} {value:.3f}" for key, value in info["best"].items())
        facts.append(f"- held-out accuracy in training: {figures}")
    head = "---\nlibrary_name: transformers\ntags: [reward-model, reasoning]\n---\n"
    told = body.format(name=name, bias=native.model.total_head.bias.item(), key=BIAS, ending=ending)
    about = "A reward model that scores reasoning, trained with tracelift-groups."
    limits = _INPUT.format(max_length=recipe.text.max_length)
    return (
        f"{head}\n# {name}\n\n{about}\n\n" + "\n".join(facts) + f"\n\n{told.rstrip()}\n\n{limits}"
    )
