"""The only place that turns quantities into text: three significant figures, unit, no exponent.

Units are those of the metric catalogue: ``ms``, ``s``, ``MB``, ``bytes``, ``items/s``, ``share``
(0 to 1, shown in percent) and ``count`` (shown exactly).
"""

from __future__ import annotations

import math

ABSENT = "—"
_PREFIXES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_PERCENT_BELOW = 1.5
"""Factors closer to 1 than this read better in percent: "9 % more", not "1.1x more"."""
_PERCENT_UP_TO = 2.5
"""An interval that begins in percent and ends within this factor is in percent at both ends."""


def figures(value: float, digits: int = 3) -> str:
    """Round to significant digits: 0.1284 -> ``0.128``, 61.04 -> ``61.0``, 1843 -> ``1,840``."""
    if not math.isfinite(value):
        return ABSENT
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    if rounded and math.floor(math.log10(abs(rounded))) > digits - 1 - places:
        places -= 1  # 0.9996 became 1.00, which has a digit more in front
    return f"{rounded:,.{max(places, 0)}f}"


def quantity(value: float | None, unit: str) -> str:
    """Return a value with its unit in the size that reads best; a dash for None."""
    if value is None or not math.isfinite(value):
        return ABSENT
    match unit:
        case "ms" if abs(value) >= 999.5:
            return f"{figures(value / 1000)} s"
        case "count":
            return count(value)
        case "share":
            return percent(value)
        case "bytes":
            return _bytes(value)
        case "items/s":
            return f"{figures(value)}/s"
    return f"{figures(value)} {unit}".rstrip()


def count(value: float) -> str:
    """Return a number of things exactly, with separators; a half where a median lies between."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def percent(share: float) -> str:
    """Return a share as percent: 0.384 -> ``38.4 %``, 1.0 -> ``100 %``."""
    text = figures(share * 100)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def ratio(value: float | None) -> str:
    """Return after / before, such as ``0.128``."""
    return ABSENT if value is None else figures(value)


def factor(value: float) -> str:
    """Return a factor: 7.812 -> ``7.8x``, 23.4 -> ``23x``."""
    return f"{figures(value, 2 if value < 100 else 3)}x"


def change(after_by_before: float) -> str:
    """Say how much less or more: 0.128 -> ``7.8x less``, 1.09 -> ``9 % more``."""
    if after_by_before == 1:
        return "equal"
    word = "less" if after_by_before < 1 else "more"
    if after_by_before <= 0:
        return "100 % less"
    turned = max(after_by_before, 1 / after_by_before)
    if turned < _PERCENT_BELOW:
        return f"{_percent_change(after_by_before)} {word}"
    return f"{factor(turned)} {word}"


def change_interval(low: float, high: float) -> str:
    """Return an interval of after / before in the same terms as ``change``, smaller change first.

    ``0.109, 0.151`` -> ``6.6x to 9.2x``; an interval around 1 -> ``4 % less to 2 % more``.
    """
    if low <= 0 or low < 1 < high:
        return f"{change(low)} to {change(high)}"
    near, far = sorted((low, high), key=lambda value: abs(math.log(value)))
    if near == 1:
        return f"equal to {change(far)}"
    nearest, farthest = max(near, 1 / near), max(far, 1 / far)
    if nearest < _PERCENT_BELOW <= farthest <= _PERCENT_UP_TO:
        return f"{_percent_change(near)} to {_percent_change(far)}"
    return " to ".join(change(end).rpartition(" ")[0] for end in (near, far))


def change_range(low: float, high: float) -> str:
    """Return a stated range of after / before in words: ``3.0x to 5.0x less``."""
    if low == high:
        return change(low)
    if low < 1 < high or low <= 0:
        return change_interval(low, high)
    return f"{change_interval(low, high)} {'less' if high <= 1 else 'more'}"


def _percent_change(after_by_before: float) -> str:
    return f"{figures(abs(after_by_before - 1) * 100, 2)} %"


def _bytes(value: float) -> str:
    for size, unit in _PREFIXES:
        if abs(value) >= size * 0.9995:
            return f"{figures(value / size)} {unit}"
    return f"{count(value)} B"
