"""Reads a scenario file as a whole."""

from __future__ import annotations

from pathlib import Path

from perfscan.replay.catalogue import METRICS, TOTALS, of_latency, per_item
from perfscan.replay.model import ComputeScenario, Emulated, Scenario
from perfscan.replay.scenario.claims import read_claim, read_counts, read_latencies, read_targets
from perfscan.replay.scenario.compute import read_compute
from perfscan.replay.scenario.fields import (
    read_children,
    read_file,
    read_metric,
    read_pattern,
    read_request,
    read_requests,
    read_threshold,
    read_whole,
)
from perfscan.replay.scenario.implementations import read_implementation
from perfscan.replay.scenario.items import read_items
from perfscan.replay.scenario.latency import read_latency
from perfscan.replay.scenario.limits import read_limits, read_scenario_faults
from perfscan.replay.scenario.match import read_match
from perfscan.replay.scenario.readings import read_readings
from perfscan.replay.scenario.variants import read_variants
from perfscan.replay.yaml_node import YamlNode, did_you_mean, read_yaml

SCHEMA = "perfscan.scenario/1"
DEFAULT_PRIMARY = "item_latency_ms.p95"
KINDS = ("service", "compute")
_REQUIRED = ("schema", "name", "recording", "implementations", "items")
_KEYS = (
    *_REQUIRED,
    *("kind", "title", "simulated", "match", "primary", "threshold", "lanes", "counts", "targets"),
    *("latencies", "readings", "critical_path", "claims", "load", "latency", "limits", "faults"),
    *("compresses", "variants"),
)
_SIDES = ("original", "optimized")


def read_bench(path: Path) -> Scenario | ComputeScenario:
    """Read and check a scenario of either kind. Raises InputError for the first mistake."""
    file = read_yaml(path)
    if _kind(file) == "compute":
        return read_compute(file, path)
    return _service(file, path)


def read_scenario(path: Path) -> Scenario:
    """Read and check a scenario that replays traffic. Raises InputError for the first mistake."""
    file = read_yaml(path)
    if _kind(file) == "compute":
        raise file.mapping()["kind"].mistake(
            "this scenario compares functions", "name one that replays traffic"
        )
    return _service(file, path)


def _kind(file: YamlNode) -> str:
    """Check the schema and return the kind."""
    given = file.mapping()
    if "schema" in given and (schema := given["schema"].text()) != SCHEMA:
        raise given["schema"].mistake(f"unknown schema {schema!r}", f"write {SCHEMA}")
    if "kind" not in given:
        return KINDS[0]
    if (kind := given["kind"].text()) not in KINDS:
        raise given["kind"].mistake(
            f"unknown kind {kind!r}{did_you_mean(kind, KINDS)}", f"write {' or '.join(KINDS)}"
        )
    return kind


def _service(file: YamlNode, path: Path) -> Scenario:
    top = file.fields(_KEYS, required=_REQUIRED)
    sides = top["implementations"].fields(_SIDES, required=_SIDES)
    counts = read_counts(top.get("counts"))
    readings = read_readings(top.get("readings"))
    latencies = read_latencies(top.get("latencies"))
    known = (
        *METRICS,
        *(of for one in (*counts, *TOTALS, "cpu_s") for of in (one, per_item(one))),
        *readings,
        *(one for name in latencies for one in of_latency(name)),
    )
    name = top["name"].text()
    items = read_items(top["items"])
    return Scenario(
        name=name,
        title=top["title"].text() if "title" in top else name,
        path=path,
        recording=read_file(top["recording"]),
        original=read_implementation("original", sides["original"]),
        optimized=read_implementation("optimized", sides["optimized"]),
        items=items,
        primary=read_metric(top["primary"], known) if "primary" in top else DEFAULT_PRIMARY,
        threshold=read_threshold(top.get("threshold")),
        match=read_match(top.get("match"), items),
        latency=read_latency(top.get("latency")),
        claims=tuple(read_claim(claim, known) for claim in read_children(top.get("claims"))),
        targets=read_targets(top.get("targets"), known),
        counts=counts,
        latencies=latencies,
        readings=readings,
        critical_path=tuple(
            tuple(read_request(request) for request in stage.items())
            for stage in read_children(top.get("critical_path"))
        ),
        simulated=top["simulated"].scalar().strip() if "simulated" in top else "",
        vary=_vary(top.get("load")),
        lanes=read_whole(top["lanes"], at_least=1) if "lanes" in top else 1,
        compresses=read_requests(top["compresses"]) if "compresses" in top else (),
        emulated=Emulated(read_scenario_faults(top.get("faults")), read_limits(top.get("limits"))),
        variants=read_variants(top.get("variants")),
    )


def _vary(node: YamlNode | None) -> tuple[str, ...]:
    fields = node.fields(("vary",)) if node else {}
    return tuple(read_pattern(pattern) for pattern in read_children(fields.get("vary")))
