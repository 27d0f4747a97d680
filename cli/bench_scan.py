"""Scans both sides of a scenario, so that a result also says what changed in the code."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from perfscan import __version__
from perfscan.replay.model import ComputeScenario, Scenario


def scan_sides(scenario: Scenario | ComputeScenario) -> dict[str, Any]:
    """Return the findings of both sides, each as ``perfscan.findings/1``."""
    return {
        side.name: scan_folder(side.directory) for side in (scenario.original, scenario.optimized)
    }


def scan_folder(folder: Path) -> dict[str, Any]:
    """Scan a folder and return its findings as ``perfscan.findings/1``."""
    from perfscan.analyzers.engine import analyze
    from perfscan.reports.findings_json import render

    started, folder = time.perf_counter(), folder.resolve()
    analysis = analyze([folder], root=folder)
    findings = render(analysis, version=__version__, seconds=time.perf_counter() - started)
    document: dict[str, Any] = json.loads(findings)
    return document
