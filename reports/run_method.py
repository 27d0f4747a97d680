"""How a run was measured, on which machine, within which limits, and how to do it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from perfscan.quantities import count, percent
from perfscan.replay.model import Result
from perfscan.reports.run_compute import compares_functions, compute_limits, compute_method
from perfscan.reports.run_words import names_of, statistics_sentence


def method(result: Result) -> list[str]:
    """Return sentences on the design and the statistics."""
    if compares_functions(result):
        return compute_method(result)
    how = result.method
    speed = float(how.get("speed") or 1.0)
    load = float(how.get("load") or 1.0)
    items = _of(result.scenario, "items")
    pairs = result.comparison.pairs
    return [
        f"Design: {pairs} complete {'pair' if pairs == 1 else 'pairs'}; every run a fresh process "
        f"that goes through the whole recording; {_order(how)}; a warm-up of each side is thrown "
        "away.",
        "Replay: services are played from the recording with their recorded delays"
        + (f", divided by {speed:g}" if speed != 1 else "")
        + (f"; {load:g} times the recorded items" if load != 1 else "")
        + "; streams run at their recorded times and wait for nobody; "
        f"seed {how.get('seed', 0)}.",
        "Latency counts from the intended time of the stimulus (of a cycle, from its first "
        "request) to the last byte of its effect, so time in a queue is included; an effect that "
        "a service refused and that was sent again counts once; later than "
        f"{items.get('deadline_s', 60):g} s is missed.",
        statistics_sentence(result),
        *_faults(how),
        "Noise: each run divided by its neighbour of the same side, the last of one pair and the "
        "first of the next.",
        *_quiet(how),
        *_calibration(how),
        *_agent(how),
        *_floors(result),
    ]


def _order(how: Mapping[str, Any]) -> str:
    if how.get("sessions"):
        return "two benches, one made after the other, their runs paired by number"
    if int(how.get("lanes") or 1) > 1:
        return f"{how['lanes']} pairs side by side, both runs of a pair at the same time"
    return "one run after the other, in the order A B B A, so that neither side owns a slot"


def _agent(how: Mapping[str, Any]) -> list[str]:
    if how.get("agent") != "event loops watched":
        return []
    return [
        "Inside the bot: a timer of each event loop, due every 10 ms, tells lag and blocked time "
        "(--no-vitals leaves it out). Everything else is measured from outside."
    ]


def _faults(how: Mapping[str, Any]) -> list[str]:
    faults = [str(fault) for fault in how.get("faults") or ()]
    if not faults:
        return []
    return [
        f"Faults, injected on purpose: {', '.join(faults)}. Drawn by seed, thing asked for and its "
        "repetition, so both sides meet the same. What a side missed under them counts in its "
        "success rate, not as different work; effects that came twice or wrong do."
    ]


def _quiet(how: Mapping[str, Any]) -> list[str]:
    parts = []
    if how.get("spinners"):
        parts.append("one process of idle priority kept each processor awake")
    if how.get("pinned"):
        parts.append("server and bot had processors of their own")
    return [f"Processors: {'; '.join(parts)}."] if parts else []


def _calibration(how: Mapping[str, Any]) -> list[str]:
    """Quote the calibration beside the scenario, where it was made on this machine."""
    found = how.get("calibration")
    if not isinstance(found, Mapping):
        return []
    rows = [
        f"{size['pairs']} pairs show a change of {percent(float(size['detectable']))}"
        + (
            f" ({size['false_alarms']} of {size['comparisons']} benches without any called one)"
            if size["comparisons"]
            else " (extrapolated)"
        )
        for size in found["sizes"]
        if size.get("detectable") is not None
    ]
    return [
        f"Calibration ({found['side']} against itself, {found['pairs']} pairs): {'; '.join(rows)}."
    ]


def _floors(result: Result) -> list[str]:
    """Say what the floors in the table assume; those that assume the same stand together."""
    assumed: dict[str, list[str]] = {}
    told = _of(result.method, "floor_assumes")
    for metric in result.comparison.metrics:
        if metric.floor is not None and metric.name in told and not metric.total:
            assumed.setdefault(str(told[metric.name]), []).append(metric.label)
    if not assumed:
        return []
    sentences = "; ".join(f"{', '.join(labels)}: {words}" for words, labels in assumed.items())
    return [f"Floors, worked out from recording and scenario alone, assume: {sentences}."]


def machine(result: Result) -> list[str]:
    """Return sentences on where it was measured."""
    seen, how = result.environment, result.method
    parts = [str(seen[name]) for name in ("platform", "python") if seen.get(name)]
    if how.get("interpreter"):
        parts.append(f"bots run by {how['interpreter']}")
    if seen.get("cpus"):
        parts.append(f"{seen['cpus']} processors")
    if seen.get("load") is not None:
        parts.append(f"load {seen['load']} before")
    for name, words in (("cpu_busy", "busy during the runs"), ("cpu_steal", "stolen")):
        if how.get(name) is not None:
            parts.append(f"{percent(float(how[name]))} {words}")
    lines = [f"Machine: {', '.join(parts)}."] if parts else []
    versions = _of(seen, "versions")
    if seen.get("perfscan"):
        versions = {"perfscan": seen["perfscan"], **versions}
    if versions:
        lines.append("Versions: " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".")
    if commit := _of(seen, "git").get("commit"):
        changed = ", with uncommitted changes" if _of(seen, "git").get("changed") else ""
        lines.append(f"Commit: {commit}{changed}.")
    return lines


def limits(result: Result) -> list[str]:
    """Return sentences on what the figures do not say."""
    if compares_functions(result):
        return compute_limits(result)
    recording = result.recording
    lines = [
        f"Limits: one recording ({count(float(recording.get('items') or 0))} items, "
        f"{count(float(recording.get('entries') or 0))} requests, "
        f"{float(recording.get('seconds') or 0):g} s), one machine; recorded delays, not live ones."
    ]
    if simulated := str(result.scenario.get("simulated") or ""):
        lines.append(f"Simulated: {simulated}")
    if recording.get("latency") == "not recorded":
        lines.append("The recording holds no delays, so latencies are those of the replay alone.")
    return lines


def reproduce(result: Result) -> list[str]:
    """Return the commands that make this result and this report again."""
    return [
        shlex.join([*_command(result), "-o", "run.json"]),
        "perfscan report build run.json --format markdown -o report.md",
    ]


def _command(result: Result) -> list[str]:
    how, scenario = result.method, str(result.scenario.get("path", "scenario.yaml"))
    compare = ["perfscan", "bench", "compare", "--side", str(how.get("side") or "optimized")]
    if how.get("sessions"):
        return [*compare, *names_of(result)]
    pairs = ["--pairs", str(how.get("pairs") or result.comparison.pairs)]
    if how.get("commits"):
        return [*compare, "--commits", *names_of(result), scenario, *pairs]
    words = ["perfscan", "bench", "replay", scenario, *pairs]
    if not compares_functions(result):
        words += ["--lanes", str(how.get("lanes") or 1)]
    words += ["--seed", str(how.get("seed") or 0)]
    if float(how.get("speed") or 1.0) != 1.0:
        words += ["--speed", f"{float(how['speed']):g}"]
    if float(how.get("load") or 1.0) != 1.0:
        words += ["--load", f"{float(how['load']):g}"]
    if how.get("until_s") is not None:
        words += ["--until", f"{float(how['until_s']):g}"]
    for fault in how.get("faults") or ():
        words += ["--fault", str(fault)]
    if how.get("after") not in (None, "optimized"):
        words += ["--after", str(how["after"])]
    if how.get("only"):
        words += ["--only", str(how["only"])]
    if how.get("variant"):
        words += ["--variant", str(how["variant"])]
    if result.variants:
        made = max(1, *(one.comparison.pairs for one in result.variants))
        words += ["--variant-pairs", str(how.get("variant_pairs") or made)]
    if result.ablation is not None and result.ablation.switches:
        words += ["--switches", ",".join(one.name for one in result.ablation.switches)]
    if how.get("interpreter"):
        words += ["--python", str(how["interpreter"])]
    if how.get("agent") == "guard only":
        words.append("--no-vitals")
    for name, word in (("spinners", "spin"), ("pinned", "pin")):
        if how.get(name) is not None:
            words.append(f"--{word}" if how[name] else f"--no-{word}")
    return words


def _of(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = record.get(name)
    return found if isinstance(found, Mapping) else {}
