"""A model that needs no network: replies made by rule, always the same for the same request.

It is for trying the model engine without an endpoint, and for its tests. It draws on the rule
engine for what it says, and some of its replies are bad in the ways that models' replies are, so
that every check downstream has something to refuse.
:mod:`tracelift_groups.llm.scripted.server` puts it behind the OpenAI protocol.
"""

from tracelift_groups.llm.scripted.model import BAD_SHARE, ScriptedModel

__all__ = ["BAD_SHARE", "ScriptedModel"]
