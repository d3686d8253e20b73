"""Whether a server honours a JSON schema: one tiny call that asks for prose.

Some servers ignore ``response_format`` without a word, so a reply that happens to be JSON proves
nothing unless only the schema asked for it.
"""

from __future__ import annotations

import json
from typing import Literal

from tracelift_groups.llm.request import Answer, Api, Reply, Request, Schema

Structured = Literal["enforced", "ignored", "refused"]
FACT = "structured output"

_PROPERTY = "tint"
_SCHEMA = Schema(
    "probe",
    {
        "type": "object",
        "properties": {_PROPERTY: {"type": "string", "enum": ["red", "blue"]}},
        "required": [_PROPERTY],
        "additionalProperties": False,
    },
)
# Models that think aloud need room before the reply begins.
_MAX_TOKENS = 1024


def probe_request(model: str, api: Api) -> Request:
    """The call whose reply is JSON only where the schema is enforced."""
    return Request(
        task="probe",
        model=model,
        prompt="Say hello in one short sentence.",
        schema=_SCHEMA,
        temperature=0.0,
        max_tokens=_MAX_TOKENS,
        api=api,
    )


def verdict(answer: Answer, *, refused: bool) -> Structured | None:
    """Read the probe's answer; None where it says nothing, such as a truncated one.

    ``refused`` says whether the server refused the parameter, so that the answer is one without.
    """
    if refused:
        return "refused"
    if not isinstance(answer, Reply):
        return None
    try:
        value = json.loads(answer.text)
    except ValueError:
        return "ignored"
    return "enforced" if isinstance(value, dict) and set(value) == {_PROPERTY} else "ignored"
