"""The code that runs inside a sandbox process: standard library only.

A zygote puts this folder's parent on its path and imports `jail` as a top-level package, so that
neither the toolkit nor any of its dependencies is loaded next to untrusted programs.
"""
