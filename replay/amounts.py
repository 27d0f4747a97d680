"""Reads amounts as people write them: ``100ms``, ``50%``, ``10kB/s``, ``1200/1m``."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z%]*)", re.ASCII)
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "kB": 1_000, "KB": 1_000, "MB": 1_000_000, "KiB": 1_024, "MiB": 1_048_576}
_LONGEST_S = 1e7
_LARGEST_FACTOR = 10_000


def read_duration(text: str) -> int:
    """Return nanoseconds of ``2s``, ``100ms``, ``1m``, ``1h`` or of a bare ``0``.

    Raises ValueError with what is wrong, as all functions here do.
    """
    value, unit = _parted(text, "a time such as 100ms, 2s or 1m")
    if unit not in _SECONDS and value:
        wrong = f"unknown unit {unit!r}" if unit else "the unit is missing"
        raise ValueError(f"not a time: {text!r}, {wrong}: write ms, s, m or h")
    seconds = value * _SECONDS.get(unit, 1.0)
    if seconds > _LONGEST_S:
        raise ValueError(f"not a time: {text!r} is too long")
    return round(seconds * 1e9)


def read_share(text: str) -> float:
    """Return the share, 0 to 1, of ``50%`` or ``0.5``."""
    value, unit = _parted(text, "a share such as 5% or 0.05")
    if unit not in ("", "%"):
        raise ValueError(f"not a share: {text!r}: write it as 5% or 0.05")
    share = value / 100 if unit else value
    if share > 1:
        more = "above 100%" if unit else f"above 1; did you mean '{text}%'?"
        raise ValueError(f"not a share: {text!r} is {more}")
    return share


def read_factor(text: str) -> float:
    """Return the factor of ``10``, ``10x`` or ``0.5``."""
    try:
        factor = float(text.strip().lower().removesuffix("x"))
    except ValueError:
        factor = 0.0
    if not 0 < factor <= _LARGEST_FACTOR:
        raise ValueError(f"not a factor: {text!r}: write 10x or 0.5")
    return factor


def read_speed(text: str) -> float:
    """Return the bytes per second of ``10kB/s``."""
    amount, slash, per = text.partition("/")
    value, unit = _parted(amount, "a rate such as 10kB/s")
    if not slash or per.strip() != "s" or unit not in _BYTES:
        raise ValueError(f"not a rate: {text!r}: write B/s, kB/s or MB/s, as in 10kB/s")
    if not value:
        raise ValueError(f"not a rate: {text!r} is nothing; use stall for a body without end")
    return value * _BYTES[unit]


def read_frequency(text: str) -> tuple[float, int]:
    """Return amount and interval, ns, of ``1200/1m``, ``30/s`` or ``50/10s``."""
    amount, slash, interval = text.partition("/")
    value, unit = _parted(amount, "so much per interval, such as 1200/1m")
    if not slash or unit:
        raise ValueError(f"not a rate: {text!r}: write 1200/1m, 50/10s or 30/s")
    interval = interval.strip()
    interval_ns = read_duration(interval if interval[:1].isdigit() else f"1{interval}")
    if not value or not interval_ns:
        raise ValueError(f"not a rate: {text!r} allows nothing")
    return value, interval_ns


def _parted(text: str, expected: str) -> tuple[float, str]:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"expected {expected}, found {text!r}")
    return float(found[1]), found[2]
