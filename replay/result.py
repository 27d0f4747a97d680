"""``RUN.json`` (``perfscan.run/1``): a result as saved, from which every report is drawn again.

Beside what the contract names it holds ``pairs``, ``claims``, ``doubts`` and, per run, its place
(``pair``, ``slot``), the judged items (``work``), ``misses`` and ``escapes``. Reading a file and
writing it again gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

from perfscan.errors import InputError
from perfscan.replay.model import (
    Ablation,
    Claim,
    ClaimResult,
    Comparison,
    ComputeScenario,
    Difference,
    Doubt,
    Equivalence,
    Figure,
    Implementation,
    Item,
    MetricComparison,
    Miss,
    Recording,
    Request,
    Result,
    Run,
    Scenario,
    Side,
    SideFared,
    SideWork,
    SwitchEffect,
    Variant,
    VariantOutcome,
    VariantRun,
)
from perfscan.replay.schedule import SIDES

SCHEMA = "perfscan.run/1"


def write_result(result: Result, path: Path) -> None:
    """Save a result in one step: whoever reads ``path`` sees the old file or the whole new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(dump_result(result), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(
            f"cannot write the result: {error.strerror or error}",
            where=str(path),
            remedy="give -o a file in a folder that exists and can be written",
        ) from error


def read_result(path: Path) -> Result:
    """Read a saved result. Raises InputError for anything that is not one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), remedy="check the path") from None
    except UnicodeDecodeError as error:
        raise InputError("not a text file", where=str(path), remedy=_REMEDY) from error
    except OSError as error:
        raise InputError(error.strerror or str(error), where=str(path)) from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(f"not JSON: {error}", where=str(path), remedy=_REMEDY) from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise InputError(f"not a {SCHEMA} file", where=str(path), remedy=_REMEDY)
    try:
        return decode_result(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"damaged result: {type(error).__name__} at {error}", where=str(path), remedy=_REMEDY
        ) from error


_REMEDY = "name a file that perfscan bench replay wrote"


def dump_result(result: Result) -> str:
    """Return the text of a saved result."""
    document = encode_result(result)
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def encode_result(result: Result) -> dict[str, Any]:
    """Return a result as the JSON object of the contract."""
    return {
        "schema": SCHEMA,
        "verdict": result.comparison.verdict,
        "interrupted": result.interrupted,
        "scenario": dict(result.scenario),
        "environment": dict(result.environment),
        "recording": dict(result.recording),
        "method": dict(result.method),
        **_encode_comparison(result.comparison),
        "evidence": None,
        "ablation": asdict(result.ablation) if result.ablation else None,
        "variants": [_encode_variant(outcome) for outcome in result.variants],
        "figures": [asdict(figure) for figure in result.figures],
        "findings": dict(result.findings) if result.findings is not None else None,
        "implementations": _encode_runs(result.runs),
    }


def decode_result(document: Mapping[str, Any]) -> Result:
    """Rebuild a result. Raises KeyError, TypeError or AttributeError where the shape is wrong."""
    return Result(
        scenario=document["scenario"],
        environment=document["environment"],
        recording=document["recording"],
        method=document["method"],
        runs=_decode_runs(document["implementations"]),
        comparison=_decode_comparison(document),
        interrupted=document["interrupted"],
        findings=document["findings"],
        figures=tuple(Figure(**_known(Figure, one)) for one in document.get("figures", ())),
        ablation=_decode_ablation(document.get("ablation")),
        variants=tuple(_decode_variant(one) for one in document.get("variants") or ()),
    )


def describe_scenario(scenario: Scenario) -> dict[str, Any]:
    """Return what a result keeps of its scenario; environment variables by name only."""
    return {
        "name": scenario.name,
        "title": scenario.title,
        "path": scenario.path.as_posix(),
        "primary": scenario.primary,
        "threshold": scenario.threshold,
        "lanes": scenario.lanes,
        "limits": [asdict(limits) for limits in scenario.emulated.limits],
        "compresses": list(scenario.compresses),
        "simulated": scenario.simulated,
        "items": asdict(scenario.items),
        "match": asdict(replace(scenario.match, effect=None, cycle=None)),
        "targets": dict(scenario.targets),
        "counts": dict(scenario.counts),
        "latencies": {name: list(patterns) for name, patterns in scenario.latencies.items()},
        "readings": {name: asdict(rule) for name, rule in scenario.readings.items()},
        "critical_path": [list(stage) for stage in scenario.critical_path],
        "variants": {one.name: _describe_variant(one) for one in scenario.variants},
        "implementations": {
            side.name: _describe_implementation(side)
            for side in (scenario.original, scenario.optimized)
        },
    }


def describe_compute(scenario: ComputeScenario) -> dict[str, Any]:
    """Return what a result keeps of a scenario that compares functions."""
    return {
        "kind": "compute",
        "name": scenario.name,
        "title": scenario.title,
        "path": scenario.path.as_posix(),
        "primary": scenario.primary,
        "threshold": scenario.threshold,
        "simulated": scenario.simulated,
        "sizes": list(scenario.sizes),
        "tolerance": scenario.tolerance,
        "repeat_s": scenario.repeat_s,
        "targets": dict(scenario.targets),
        "implementations": {
            side.name: {
                "function": side.function,
                "arguments": dict(side.arguments),
                "directory": side.directory.name,
                "environment": sorted(side.environment),
            }
            for side in (scenario.original, scenario.optimized)
        },
    }


def describe_recording(recording: Recording, scenario: Scenario) -> dict[str, Any]:
    """Return what a result keeps of its recording: ``entries`` are requests, ``items`` work."""
    from perfscan.replay.work import expected_items  # reading results must not need the extra

    last_ns = recording.events[-1].at_ns if recording.events else 0
    return {
        "path": recording.path.name if recording.path else "",
        "sha256": recording.sha256,
        "items": expected_items(recording, scenario.items),
        "entries": sum(isinstance(event, Request) for event in recording.events),
        "seconds": round(last_ns / 1e9, 3),
        "source": recording.header.source,
        "started_at": recording.header.started_at,
        "latency": recording.header.latency,
        "truncated": recording.truncated,
    }


def _describe_implementation(side: Implementation) -> dict[str, Any]:
    return {
        "command": list(side.command),
        "directory": side.directory.name,
        "environment": sorted(side.environment),
        "prepare": list(side.prepare),
        "services": [service.name for service in side.services],
        "switches": sorted(side.switches),
    }


def _describe_variant(variant: Variant) -> dict[str, Any]:
    changed = {"original": variant.original, "optimized": variant.optimized}
    return {
        "title": variant.title,
        "faults": [fault.spec for fault in variant.faults],
        "recording": variant.recording.name if variant.recording else None,
        "load": variant.load,
        **{
            side: {"command": list(change.command), "environment": sorted(change.environment)}
            for side, change in changed.items()
            if change
        },
    }


def _encode_variant(outcome: VariantOutcome) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "title": outcome.title,
        "faults": list(outcome.faults),
        "recording": outcome.recording,
        "load": outcome.load,
        "problem": outcome.problem,
        "sides": {side: asdict(fared) for side, fared in outcome.sides.items()},
        "verdict": outcome.comparison.verdict,
        **_encode_comparison(outcome.comparison),
        "implementations": _encode_runs(outcome.runs),
    }


def _decode_variant(record: Mapping[str, Any]) -> VariantOutcome:
    return VariantOutcome(
        name=record["name"],
        title=record["title"],
        faults=tuple(record["faults"]),
        recording=record["recording"],
        load=record["load"],
        sides={side: SideFared(**_known(SideFared, record["sides"][side])) for side in SIDES},
        comparison=_decode_comparison(record),
        runs=_decode_runs(record["implementations"]),
        problem=record["problem"],
    )


def _encode_comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "pairs": comparison.pairs,
        "comparison": {
            metric.name: _encode_metric(metric, comparison.claims) for metric in comparison.metrics
        },
        "claims": [
            {**asdict(one.claim), "verdict": one.verdict, "measured": one.measured}
            for one in comparison.claims
        ],
        "equivalence": asdict(comparison.equivalence),
        "noise": dict(comparison.noise),
        "doubts": [asdict(doubt) for doubt in comparison.doubts],
    }


def _decode_comparison(document: Mapping[str, Any]) -> Comparison:
    return Comparison(
        pairs=document["pairs"],
        metrics=tuple(
            MetricComparison(name=name, **_known(MetricComparison, metric))
            for name, metric in document["comparison"].items()
        ),
        equivalence=_decode_equivalence(document["equivalence"]),
        claims=tuple(_decode_claim(claim) for claim in document["claims"]),
        noise=document["noise"],
        doubts=tuple(Doubt(**_known(Doubt, doubt)) for doubt in document["doubts"]),
        verdict=document["verdict"],
    )


def _encode_runs(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        side: {"runs": [_encode_run(run) for run in runs if run.side == side]} for side in SIDES
    }


def _decode_runs(record: Mapping[str, Any]) -> tuple[Run, ...]:
    runs = [_decode_run(side, run) for side in SIDES for run in record[side]["runs"]]
    return tuple(sorted(runs, key=lambda run: (run.pair, run.slot)))


def _encode_metric(metric: MetricComparison, claims: Sequence[ClaimResult]) -> dict[str, Any]:
    """Set the first claim about a metric beside it; all claims stand under ``claims``."""
    record = asdict(metric)
    del record["name"]
    claimed = next((one for one in claims if one.claim.metric == metric.name), None)
    wanted = ("text", "source", "before", "after", "ratio")
    return {
        **record,
        "claimed": {key: asdict(claimed.claim)[key] for key in wanted} if claimed else None,
        "claim_verdict": claimed.verdict if claimed else None,
    }


def _encode_run(run: Run) -> dict[str, Any]:
    return {
        "pair": run.pair,
        "slot": run.slot,
        "ok": run.ok,
        "problem": run.problem,
        "metrics": dict(run.metrics),
        "items": sum(item.expected for item in run.items),
        "unmatched": len(run.misses),
        "misses": [asdict(miss) for miss in run.misses],
        "escapes": list(run.escapes),
        "work": [_without_defaults(item) for item in run.items],
        "log": run.log,
    }


def _without_defaults(item: Item) -> dict[str, Any]:
    return {
        field.name: getattr(item, field.name)
        for field in fields(item)
        if field.default is MISSING or getattr(item, field.name) != field.default
    }


def _decode_run(side: Side, run: Mapping[str, Any]) -> Run:
    return Run(
        side=side,
        pair=run["pair"],
        slot=run["slot"],
        ok=run["ok"],
        metrics=run["metrics"],
        items=tuple(Item(**_known(Item, item)) for item in run["work"]),
        misses=tuple(Miss(miss["request"], tuple(miss["nearest"])) for miss in run["misses"]),
        problem=run["problem"],
        log=run["log"],
        escapes=tuple(run["escapes"]),
    )


def _decode_equivalence(record: Mapping[str, Any]) -> Equivalence:
    return Equivalence(
        same=record["same"],
        items=record["items"],
        original=SideWork(**_known(SideWork, record["original"])),
        optimized=SideWork(**_known(SideWork, record["optimized"])),
        differences=tuple(
            Difference(**_known(Difference, difference)) for difference in record["differences"]
        ),
    )


def _decode_ablation(record: Mapping[str, Any] | None) -> Ablation | None:
    if record is None:
        return None
    return Ablation(
        rounds=record["rounds"],
        switches=tuple(_decode_switch(switch) for switch in record["switches"]),
        runs=tuple(VariantRun(**_known(VariantRun, run)) for run in record["runs"]),
    )


def _decode_switch(record: Mapping[str, Any]) -> SwitchEffect:
    values = _known(SwitchEffect, record)
    for name in ("without", "alone"):
        if values[name] is not None:
            values[name] = MetricComparison(**_known(MetricComparison, values[name]))
    values["others"] = tuple(
        MetricComparison(**_known(MetricComparison, metric)) for metric in values["others"]
    )
    return SwitchEffect(**values)


def _decode_claim(record: Mapping[str, Any]) -> ClaimResult:
    values = _known(Claim, record)
    for name in ("before", "after", "ratio"):
        if values.get(name) is not None:
            values[name] = tuple(values[name])
    return ClaimResult(Claim(**values), record["verdict"], record["measured"])


def _known(kind: type, record: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the fields of ``kind``, so that files with additions of a later version still load."""
    names = {field.name for field in fields(kind)}
    return {key: value for key, value in record.items() if key in names}
