"""What a report says of a run that compared two functions rather than two bots."""

from __future__ import annotations

from perfscan.quantities import count
from perfscan.replay.model import Result
from perfscan.reports.run_words import statistics_sentence


def compares_functions(result: Result) -> bool:
    """Tell whether recorded data went through two functions."""
    return result.scenario.get("kind") == "compute"


def compute_method(result: Result) -> list[str]:
    """Return sentences on the design and the statistics."""
    pairs = result.comparison.pairs
    repeat_s = float(result.scenario.get("repeat_s") or 0)
    tolerance = float(result.scenario.get("tolerance") or 0)
    return [
        f"Design: {pairs} complete {'pair' if pairs == 1 else 'pairs'}; every run a fresh process; "
        "one run after the other, in the order A B B A, so that neither side owns a slot; a "
        "warm-up of each side is thrown away.",
        f"Time per call: median over the calls of {repeat_s:g} s with the same rows, each call "
        "with a copy of the data that was made before. The first call, which compiles and fills "
        "caches, stands apart. Memory: the peak that tracemalloc sees in one more call.",
        "Same work: what the original returned in its warm-up must come back from every run, "
        f"within {tolerance:g}, missing values in the same places.",
        statistics_sentence(result),
    ]


def compute_limits(result: Result) -> list[str]:
    """Return sentences on what the figures do not say."""
    rows = count(float(result.recording.get("entries") or 0))
    lines = [f"Limits: one file of data ({rows} rows), one machine; calls in a loop, caches warm."]
    if simulated := str(result.scenario.get("simulated") or ""):
        lines.append(f"Simulated: {simulated}")
    return lines
