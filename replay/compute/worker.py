"""Calls one function with recorded data in a process of its own: ``python worker.py ORDER.json``.

The order is a JSON object: ``function`` (``module:name``), ``arguments`` (keywords), ``data`` (a
file), ``sizes`` (rows; ``[0]`` means all), ``repeat_s``, ``results`` (a folder for what was
returned) and ``answer`` (the file to write). The answer is a JSON object::

    {"import_s": 0.2, "sizes": {"1000": {"first_ms": 3.1, "calls_ms": [..], "peak_mb": 0.4}}}

or ``{"problem": "one line"}``. Every call gets a copy of the data of its own, made outside of the
measured time, so that a function that changes its input cannot ease the next call. Memory is the
peak that tracemalloc sees during one more call, NumPy's arrays included.
"""

from __future__ import annotations

import copy
import importlib
import json
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LEAST_CALLS = 5
MOST_CALLS = 10_000


def main(path: str) -> int:
    """Carry out an order; returns the exit status."""
    order = json.loads(Path(path).read_text("utf-8"))
    try:
        answer: dict[str, Any] = run(order)
    except Exception as error:
        line = _innermost(error)
        answer = {"problem": f"{type(error).__name__}: {error}{line}".splitlines()[0]}
    Path(order["answer"]).write_text(json.dumps(answer), "utf-8")
    return 1 if "problem" in answer else 0


def run(order: Mapping[str, Any]) -> dict[str, Any]:
    """Measure all sizes; the first of them sees the function for the first time."""
    from perfscan.replay.compute.data import read_data, rows, save_result, take

    whole = read_data(Path(order["data"]))
    begun_ns = time.perf_counter_ns()
    function = resolve(order["function"])
    import_s = (time.perf_counter_ns() - begun_ns) / 1e9
    measured = {}
    for size in order["sizes"]:
        data = take(whole, size or rows(whole))
        found = _measure(function, order["arguments"], data, order["repeat_s"])
        save_result(found.pop("result"), Path(order["results"]) / f"{size}.npz")
        measured[str(size)] = found
    return {"import_s": import_s, "sizes": measured}


def resolve(name: str) -> Callable[..., Any]:
    """Return the callable that ``module:path.to.it`` names."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
        if isinstance(found, type):
            found = found()
    if not callable(found):
        raise TypeError(f"{name} is not callable")
    return found  # type: ignore[no-any-return]


def _measure(
    function: Callable[..., Any], arguments: Mapping[str, Any], data: Any, repeat_s: float
) -> dict[str, Any]:
    first_ms, result = _call(function, arguments, data)
    calls_ms: list[float] = []
    spent_ms = 0.0
    while len(calls_ms) < LEAST_CALLS or (
        spent_ms < repeat_s * 1000 and len(calls_ms) < MOST_CALLS
    ):
        took_ms, _ = _call(function, arguments, data)
        calls_ms.append(took_ms)
        spent_ms += took_ms
    return {
        "first_ms": first_ms,
        "calls_ms": calls_ms,
        "peak_mb": _peak_mb(function, arguments, data),
        "result": result,
    }


def _call(
    function: Callable[..., Any], arguments: Mapping[str, Any], data: Any
) -> tuple[float, Any]:
    own = copy.deepcopy(data)
    begun_ns = time.perf_counter_ns()
    result = function(own, **arguments)
    return (time.perf_counter_ns() - begun_ns) / 1e6, result


def _peak_mb(function: Callable[..., Any], arguments: Mapping[str, Any], data: Any) -> float:
    own = copy.deepcopy(data)
    tracemalloc.start()
    try:
        function(own, **arguments)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def _innermost(error: BaseException) -> str:
    """Return `` (file.py:12)`` of the line that failed."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
