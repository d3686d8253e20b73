"""Twins and flaws: templates, the engines that make them, and the checks that confirm them."""
