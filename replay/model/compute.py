"""What a ``compute`` scenario is: recorded data through two callables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfscan.replay.model.scenario import Claim


@dataclass(frozen=True, slots=True)
class Callee:
    """One side of a comparison: a function and where it lies."""

    name: str
    function: str
    """``module:function``, or ``module:Class.method`` of a class or instance in the module."""
    directory: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments beside the data, as written in the scenario."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComputeScenario:
    """Everything that a before/after comparison of two functions needs."""

    name: str
    title: str
    path: Path
    data: Path
    original: Callee
    optimized: Callee
    primary: str
    sizes: tuple[int, ...] = ()
    """How many rows are handed over, one measurement for each; empty for all rows at once."""
    tolerance: float = 1e-9
    """Numbers are equal where they differ by no more than this, absolutely or relatively."""
    repeat_s: float = 0.5
    """Each size is called again and again for this long, in seconds."""
    threshold: float = 0.05
    claims: tuple[Claim, ...] = ()
    targets: Mapping[str, float] = field(default_factory=dict)
    simulated: str = ""
    lanes: int = 1
