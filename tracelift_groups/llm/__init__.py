"""Model calls: one request in, one answer out, whatever the endpoint, and nothing paid twice.

What a stage wants is a :class:`~tracelift_groups.llm.request.Request`; what it gets is a
:class:`~tracelift_groups.llm.request.Reply`, or a :class:`~tracelift_groups.llm.request.Failed`
with a reason. Stages are generators that yield requests and are sent answers
(:mod:`tracelift_groups.llm.asking`), so they know nothing of networks, caches or money.
"""
