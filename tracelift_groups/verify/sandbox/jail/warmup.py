"""What a zygote does once, so that none of its children has to do it again.

The first `compile` of an interpreter builds the types of the syntax tree (2.6 of the 6 ms that a
small program took), the first numpy call and the first message of the codec fill tables of their
own. All of it is inherited through fork.
"""

from __future__ import annotations

import os
import sys

from . import codec

_SAMPLE = """
import collections
class Sample:
    def method(self, *values, key=None): return [v for v in values if v]
def calls(x, y=1): return sorted({x: y}.items(), key=lambda pair: pair[0])
text = f"{calls(2)!r:>4} {1.5:.2f} {len('a b'.split())}"
try: raise ValueError(text)
except ValueError as error: caught = str(error)
"""
_NUMPY_SAMPLE = """
import numpy as np
a = np.arange(6).reshape(2, 3)
text = str(a @ a.T), str((a ** 2).sum(axis=0) / 2.0), repr(np.array([1.5])), a[a > 2].tolist()
np.linalg.norm(np.zeros(2)), np.sort(a), np.array([[1, 2]]), np.int64(3) + 1, np.mean(a), a.max()
"""


def _foreign(value: object) -> codec.Node:
    raise codec.CodecError(type(value).__name__)


def _use_codec() -> None:
    encoder = codec.Encoder(_foreign, frozenset(), lenient=True)
    root = encoder.refer(((1, "a", [1.5, None]), {"key": {2, 3}, "big": 1 << 70}))
    descriptor = os.memfd_create("warmup")
    codec.send(descriptor, {"root": root, "nodes": encoder.new_nodes()})
    os.lseek(descriptor, 0, os.SEEK_SET)
    message = codec.receive(descriptor)
    os.close(descriptor)
    decoder = codec.Decoder(_foreign, _foreign, lambda record, fields: None)
    decoder.add(message["nodes"])
    decoder.value(message["root"])


def warm_up() -> None:
    """Runs small samples of what programs and testers do, in the zygote itself."""
    for sample in (_SAMPLE, *([_NUMPY_SAMPLE] if "numpy" in sys.modules else [])):
        exec(compile(sample, "warmup.py", "exec", dont_inherit=True), {"__name__": "warmup"})
    _use_codec()
