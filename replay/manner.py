"""How a bench was made, as far as its figures depend on it.

Only benches of one manner may be set beside each other: in a comparison of stored results, in a
history, or as the calibration of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEFAULTS: Mapping[str, Any] = {
    "after": "optimized",
    "lanes": 1,
    "speed": 1.0,
    "load": 1.0,
    "until_s": None,
    "faults": [],
    "variant": None,
    "agent": "event loops watched",
    "interpreter": None,
}


def manner(method: Mapping[str, Any]) -> str:
    """Describe the ``method`` of a result in one line, defaults left out: ``lanes=3, load=10``."""
    found = {name: method.get(name) or default for name, default in _DEFAULTS.items()}
    return ", ".join(
        f"{name}={_word(value)}" for name, value in found.items() if value != _DEFAULTS[name]
    )


def _word(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "+".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
