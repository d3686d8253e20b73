from tests.perturb.code.conftest import runs

__all__ = ["runs"]
