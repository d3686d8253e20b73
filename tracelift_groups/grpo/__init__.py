"""The executor-grounded reward, and planners trained with it.

``problem -> planner -> reasoning -> frozen executor -> verifier``: :mod:`.reward` puts a value on
the reasoning, :mod:`.train` is the small runner, :mod:`.plugins` hands the same reward to other
trainers.
"""
