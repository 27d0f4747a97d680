"""Reads a scenario of ``kind: compute``: recorded data through two callables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from perfscan.replay.model import Callee, ComputeScenario
from perfscan.replay.scenario.claims import read_claim, read_targets
from perfscan.replay.scenario.fields import (
    read_children,
    read_directory,
    read_entries,
    read_file,
    read_folder,
    read_metric,
    read_positive,
    read_threshold,
    read_whole,
)
from perfscan.replay.yaml_node import YamlNode

_REQUIRED = ("schema", "kind", "name", "data", "implementations")
_KEYS = (
    *_REQUIRED,
    *("title", "simulated", "sizes", "tolerance", "repeat_s", "primary", "threshold", "lanes"),
    *("targets", "claims"),
)
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
DEFAULT_TOLERANCE = 1e-9
DEFAULT_REPEAT_S = 0.5


def read_compute(top: YamlNode, path: Path) -> ComputeScenario:
    """Read the file as a whole. Raises InputError for the first mistake."""
    fields = top.fields(_KEYS, required=_REQUIRED)
    sides = fields["implementations"].fields(
        ("original", "optimized"), required=("original", "optimized")
    )
    sizes = tuple(read_whole(size, at_least=1) for size in read_children(fields.get("sizes")))
    known = compute_metrics(sizes)
    name = fields["name"].text()
    return ComputeScenario(
        name=name,
        title=fields["title"].text() if "title" in fields else name,
        path=path,
        data=read_file(fields["data"]),
        original=_callee("original", sides["original"]),
        optimized=_callee("optimized", sides["optimized"]),
        primary=(
            read_metric(fields["primary"], known)
            if "primary" in fields
            else f"call_ms.{max(sizes) if sizes else 'all'}"
        ),
        sizes=sizes,
        tolerance=(
            read_positive(fields["tolerance"]) if "tolerance" in fields else DEFAULT_TOLERANCE
        ),
        repeat_s=read_positive(fields["repeat_s"]) if "repeat_s" in fields else DEFAULT_REPEAT_S,
        threshold=read_threshold(fields.get("threshold")),
        claims=tuple(read_claim(claim, known) for claim in read_children(fields.get("claims"))),
        targets=read_targets(fields.get("targets"), known),
        simulated=fields["simulated"].scalar().strip() if "simulated" in fields else "",
        lanes=read_whole(fields["lanes"], at_least=1) if "lanes" in fields else 1,
    )


def compute_metrics(sizes: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the metrics that runs with these sizes yield."""
    rows = [str(size) for size in sizes] or ["all"]
    return (
        *(f"call_ms.{size}" for size in rows),
        *(f"peak_alloc_mb.{size}" for size in rows),
        *("first_call_ms", "import_s", "peak_rss_mb"),
    )


def _callee(name: str, node: YamlNode) -> Callee:
    fields = node.fields(
        ("function", "directory", "arguments", "environment"), required=("function",)
    )
    function = fields["function"].text()
    if not _FUNCTION.fullmatch(function):
        raise fields["function"].mistake(
            f"not a function: {function!r}", "write module:function, such as indicators:atr"
        )
    return Callee(
        name=name,
        function=function,
        directory=(
            read_directory(fields["directory"]) if "directory" in fields else read_folder(node)
        ),
        arguments=_arguments(fields.get("arguments")),
        environment={
            variable: value.scalar()
            for variable, value in read_entries(fields.get("environment")).items()
        },
    )


def _arguments(node: YamlNode | None) -> Mapping[str, Any]:
    """Return keyword arguments as YAML understands them: numbers are numbers."""
    return {name: _argument(child) for name, child in read_entries(node).items()}


def _argument(node: YamlNode) -> Any:
    try:
        value = yaml.SafeLoader("").construct_object(node.node, deep=True)
        json.dumps(value)  # as it is handed to the function's process
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise node.mistake("not a value of JSON", "put dates and the like in quotes") from error
    return value
