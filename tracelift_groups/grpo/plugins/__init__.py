"""The same reward for other trainers, each a thin file over :class:`..reward.Reward`.

A problem travels with its row as JSON (:mod:`.rows`); trainers that call a function by its path
find the reward through a YAML file (:mod:`.setup`).
"""
