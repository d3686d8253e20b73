"""The model engine: twins and flaws that a model writes, checked here and judged blindly."""
