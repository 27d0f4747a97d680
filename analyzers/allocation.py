"""A state of the interpreter in which large amounts of small objects are made quickly."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_STACK = 5_000
"""Deep enough for real code; Python's own 1,000 is not, for chains of calls and comparisons."""


@contextmanager
def quick_allocation() -> Iterator[None]:
    """Work without the cycle collector and with a deeper stack; restore both afterwards.

    Trees and facts hold no cycles that matter, and collecting over millions of live objects
    costs up to half of a scan.
    """
    collecting, depth = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(depth, _STACK))
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)
        if collecting:
            gc.enable()
