"""Whether two results are equal within a tolerance, and where they first part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def difference(
    expected: Mapping[str, Any], found: Mapping[str, Any], tolerance: float
) -> str | None:
    """Return the first difference in one line, None where all parts are equal.

    Numbers are equal where they differ by at most ``tolerance``, absolutely or as a share of the
    expected one; whole numbers (counts, ids, times) where they are the same. Missing values (NaN)
    and infinities must stand in the same places.
    """
    if expected.keys() != found.keys():
        odd = sorted(expected.keys() ^ found.keys())[0]
        return f"{odd} is {'missing' if odd in expected else 'new'}"
    for name, wanted in expected.items():
        line = _difference(wanted, found[name], tolerance)
        if line is not None:
            return f"{name}{line}"
    return None


def _difference(wanted: Any, found: Any, tolerance: float) -> str | None:
    if wanted.shape != found.shape:
        return f" has shape {found.shape}, expected {wanted.shape}"
    if wanted.dtype.kind not in "biufc" or found.dtype.kind not in "biufc":
        unlike = wanted.astype(str) != found.astype(str)
    elif wanted.dtype.kind in "biu" and found.dtype.kind in "biu":
        unlike = wanted != found
    else:
        close = np.isclose(
            found.astype(_wide(found)),
            wanted.astype(_wide(wanted)),
            rtol=tolerance,
            atol=tolerance,
            equal_nan=True,
        )
        unlike = ~close
    if not np.any(unlike):
        return None
    place = tuple(int(index) for index in np.argwhere(unlike)[0])
    at = f"[{', '.join(map(str, place))}]" if place else ""
    more = int(np.count_nonzero(unlike)) - 1
    rest = f", and {more:,} more values" if more else ""
    return f"{at} is {found[place]}, expected {wanted[place]}{rest}"


def _wide(values: Any) -> type:
    return complex if values.dtype.kind == "c" else float
