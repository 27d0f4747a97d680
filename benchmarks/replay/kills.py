"""SIGKILL at random moments to bot, server and perfscan: what stays, and what is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

from rows import Row

TITLE = "kill -9 at random moments: finished runs kept, nothing left behind"
TESTS = Path(__file__).parents[2] / "tests" / "endtoend" / "test_kills.py"
OF_EACH, QUICK = 17, 3


def measure(quick: bool) -> Iterator[Row]:
    """Kill each of the three so many times; a kill fails where anything is lost or left."""
    times = QUICK if quick else OF_EACH
    with TemporaryDirectory(prefix="perfscan-kills-") as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(TESTS), f"--junit-xml={report}"],
            env={**os.environ, "PERFSCAN_KILLS": str(times)},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        suite = ET.parse(report).getroot().find("testsuite") if report.exists() else None
    if suite is None:
        yield Row("kills that lost or left something", "no answer from pytest", "none", False)
        return
    total = int(suite.attrib["tests"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    yield Row("kills that lost or left something", f"{failed} of {total}", "none", failed == 0)
