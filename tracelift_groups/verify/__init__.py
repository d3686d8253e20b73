"""Replies to verdicts: mathematics by exact comparison, programs by running them in isolation."""
