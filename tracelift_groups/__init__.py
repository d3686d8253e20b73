"""Certified groups of sound and flawed reasoning traces, and what is trained on them."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tracelift-groups")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
