"""Traces of word problems: text to equations, and typed edits that stay consistent."""
