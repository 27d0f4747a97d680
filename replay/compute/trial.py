"""One run of one function: a fresh process that calls it with all sizes of the recorded data."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from perfscan.replay.compute import worker
from perfscan.replay.compute.data import read_result_parts
from perfscan.replay.compute.equality import difference
from perfscan.replay.model import Callee, ComputeScenario, Item, Run, Side
from perfscan.replay.namespace import Namespace, unavailable
from perfscan.replay.processes import ProcessTree, describe_end, stop
from perfscan.replay.redirection import inherited
from perfscan.replay.schedule import Slot

POLL_S = 0.02
LOG_LINES = 20


@dataclass(frozen=True, slots=True)
class ComputeSetup:
    """What all runs of a comparison share."""

    scenario: ComputeScenario
    folder: Path
    prepared: Mapping[Side, Path]
    """Per side the folder that its functions are imported from."""
    reference: Path | None = None
    """Folder of the results that every run must repeat; None for the run that makes them."""
    python: str = sys.executable


def run_compute_trial(slot: Slot, setup: ComputeSetup) -> Run:
    """Make one run. A function that fails gives a Run that is not ok.

    Metrics: ``call_ms.N`` (median over the calls with N rows), ``peak_alloc_mb.N``,
    ``first_call_ms`` (the very first call: it compiles and fills caches), ``import_s``, and
    ``peak_rss_mb`` of the process.
    """
    folder = setup.folder / slot.folder
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    problem, usage = _run_worker(slot.side, setup, folder, results)
    answer = _answer(folder / "answer.json")
    problem = problem or answer.get("problem", "")
    log = (folder / "log").read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
    if problem:
        return Run(slot.side, slot.pair, slot.position, False, {}, (), (), problem, "\n".join(log))
    return Run(
        side=slot.side,
        pair=slot.pair,
        slot=slot.position,
        ok=True,
        metrics={**_metrics(answer), **usage},
        items=tuple(_items(answer, results, setup)),
        log="\n".join(log),
    )


def size_name(size: int) -> str:
    """Return how a size stands in metric names: ``1000``, or ``all``."""
    return str(size) if size else "all"


def _run_worker(
    side: Side, setup: ComputeSetup, folder: Path, results: Path
) -> tuple[str, dict[str, float]]:
    """Return why the run failed, or an empty string, and what the process used."""
    scenario = setup.scenario
    callee = scenario.original if side == "original" else scenario.optimized
    order = {
        "function": callee.function,
        "arguments": dict(callee.arguments),
        "data": str(scenario.data.resolve()),
        "sizes": list(scenario.sizes or (0,)),
        "repeat_s": scenario.repeat_s,
        "results": str(results),
        "answer": str(folder / "answer.json"),
    }
    (folder / "order.json").write_text(json.dumps(order), "utf-8")
    command = [setup.python, "-P", worker.__file__, str(folder / "order.json")]
    with ExitStack() as stack:
        if unavailable() is None:  # a function has nobody to talk to
            namespace = stack.enter_context(Namespace.open((), (), folder / "network"))
            command = namespace.command(command)
        process = stack.enter_context(_started(command, callee, setup.prepared[side], folder))
        try:
            tree = ProcessTree(process.pid)
            while process.poll() is None:
                tree.sample()
                time.sleep(POLL_S)
        finally:
            stop(process, patience_s=0.0)
    if process.returncode not in (0, 1):
        return f"the function's process ended early ({describe_end(process.returncode)})", {}
    return "", {"peak_rss_mb": tree.metrics()["peak_rss_mb"]}


def _started(
    command: list[str], callee: Callee, home: Path, folder: Path
) -> subprocess.Popen[bytes]:
    environment = {**inherited(), "PYTHONPATH": str(home), **callee.environment}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answer(path: Path) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {"problem": "the function's process gave no answer"}
    return answer


def _metrics(answer: Mapping[str, Any]) -> dict[str, float]:
    sizes: Mapping[str, Mapping[str, Any]] = answer["sizes"]
    metrics = {"import_s": answer["import_s"]}
    metrics["first_call_ms"] = next(iter(sizes.values()))["first_ms"]
    for size, found in sizes.items():
        name = size_name(int(size))
        metrics[f"call_ms.{name}"] = median(found["calls_ms"])
        metrics[f"peak_alloc_mb.{name}"] = found["peak_mb"]
    return metrics


def _items(answer: Mapping[str, Any], results: Path, setup: ComputeSetup) -> list[Item]:
    """Compare what was returned with the reference: one item for each size."""
    items = []
    for size in answer["sizes"]:
        unlike = None
        if setup.reference is not None:
            unlike = difference(
                read_result_parts(setup.reference / f"{size}.npz"),
                read_result_parts(results / f"{size}.npz"),
                setup.scenario.tolerance,
            )
        key = f"{int(size):,} rows" if size != "0" else "all rows"
        items.append(Item(key, 0, "wrong" if unlike else "handled", None, detail=unlike or ""))
    return items
