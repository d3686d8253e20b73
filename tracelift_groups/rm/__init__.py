"""The reasoning reward model: scores a reasoning text, trained on groups of traces.

Axis suffixes here: ``_S`` traces of a batch (groups of any size, one after the other), ``_T``
tokens of a padded trace, ``_N`` packed tokens, ``_H`` hidden units, ``_D`` rubric dimensions,
``_L`` labels of a dimension. PyTorch is imported by the modules that compute, never by this one.
"""
