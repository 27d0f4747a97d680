"""Runs every benchmark of this folder and prints one table: ``python benchmarks/replay [NAME]...``.

A section is a module with ``TITLE`` and ``measure(quick) -> Iterator[Row]``. All figures are ratios
of things measured side by side in the same run. Exit status 1 where a goal is not reached.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

from rows import Row

OWN = ("__main__", "rows")
MARKS = {True: "holds", False: "MISSED", None: ""}


def main() -> int:
    """Run the named sections, or all."""
    found = sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if path.stem not in OWN and "def measure(" in path.read_text("utf-8")
    )
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(found)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, wider intervals")
    chosen = parser.parse_args()
    unknown = set(chosen.sections) - set(found)
    if unknown:
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    cpus = len(os.sched_getaffinity(0))
    sys.stdout.write(f"{cpus} processors, load {os.getloadavg()[0]:.1f} before\n")
    missed = 0
    for name in chosen.sections or found:
        section = importlib.import_module(name)
        sys.stdout.write(f"\n{section.TITLE}\n")
        for row in section.measure(chosen.quick):
            sys.stdout.write(f"  {_line(row)}\n")
            sys.stdout.flush()
            missed += row.holds is False
    return 1 if missed else 0


def _line(row: Row) -> str:
    return f"{row.what:<58} {row.figure:>24}  {row.goal:<18} {MARKS[row.holds]}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
