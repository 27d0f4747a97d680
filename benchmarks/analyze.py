"""How long a scan takes, side by side with other tools, in one run on one machine.

    python benchmarks/analyze.py [NAME=FOLDER ...] [--repeat 5] [--limit 600] [--readme README.md]

Without folders the projects are downloaded. Run by hand: see ``make bench-analyze``.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from projects import RELEASES, Project, fetch

from tools import Command, installed, others, perfscan, ruff

JOBS = 2
_MARKS = re.compile(r"(<!-- bench-analyze -->\n).*?(<!-- /bench-analyze -->)", re.DOTALL)


class Row(NamedTuple):
    """What one command took on one project."""

    project: str
    label: str
    seconds: float
    times_ruff: float
    megabytes: float
    note: str = ""


class Task(NamedTuple):
    """A command, and what has to be done before each run of it."""

    label: str
    command: Command
    prepare: Callable[[int], None]


def main() -> None:
    """Measure, print, and write the table into the README when asked to."""
    options = _options()
    options.tools = options.tools.resolve()
    given = dict(item.split("=", 1) for item in options.projects)
    versions = installed(options.tools)
    rows: list[Row] = []
    sizes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="perfscan-bench-") as work:
        for name in given or RELEASES:
            project = fetch(name, Path(given[name]) if name in given else None, Path(work))
            sizes.append(f"{name} ({project.files:,} files, {project.lines:,} lines)")
            _say(f"\n{sizes[-1]}")
            for row in _measured(project, options, versions, Path(work)):
                rows.append(row)
                _say(_line(row))
    table = _table(rows, sizes, versions, options.repeat)
    _say(f"\n{table}")
    if options.readme:
        text = options.readme.read_text("utf-8")
        options.readme.write_text(_MARKS.sub(rf"\1{_escaped(table)}\2", text), "utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("projects", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for a slow tool")
    parser.add_argument("--readme", type=Path)
    parser.add_argument("--tools", type=Path, default=Path(".venv-bench"))
    parser.add_argument("--only", default="", help="only the tools whose name contains this")
    return parser.parse_args()


def _measured(
    project: Project, options: argparse.Namespace, versions: dict[str, str], work: Path
) -> Iterator[Row]:
    """Run all quick commands in turn, several times; then the slow ones once."""
    tasks = _tasks(project, options.tools, work / "caches" / project.name)
    times: dict[str, list[float]] = {task.label: [] for task in tasks}
    for number in range(options.repeat):
        for task in tasks:
            task.prepare(number)
            times[task.label].append(_run(task.command, project, None).seconds)
    medians = {label: statistics.median(values) for label, values in times.items()}
    base = medians["ruff cold"]
    for task in tasks:
        task.prepare(options.repeat)
        peak = _run(task.command, project, None, watch=True).megabytes
        yield Row(project.name, task.label, medians[task.label], medians[task.label] / base, peak)
    for command in others(options.tools, versions, JOBS):
        if options.only in command.tool:
            run = _run(command, project, options.limit, watch=True)
            note = ("" if run.status == 0 else "failed") if run.ended else "stopped"
            yield Row(
                project.name, command.tool, run.seconds, run.seconds / base, run.megabytes, note
            )


def _tasks(project: Project, tools: Path, caches: Path) -> list[Task]:
    one, two, warm = caches / "one", caches / "two", caches / "ruff"

    def nothing(number: int) -> None:
        pass

    def empty(folder: Path) -> Callable[[int], None]:
        return lambda number: shutil.rmtree(folder, ignore_errors=True)

    def edit(file: Path) -> Callable[[int], None]:
        text = file.read_text("utf-8", "replace")

        def change(number: int) -> None:
            _edit(file, text, number)

        return change

    return [
        Task("ruff cold", ruff(tools, None), nothing),
        Task("perfscan cold, 1 process", perfscan(1, one, "cold"), empty(one)),
        Task(f"perfscan cold, {JOBS} processes", perfscan(JOBS, two, "cold"), empty(two)),
        Task("ruff warm", ruff(tools, warm), nothing),
        Task("perfscan, nothing changed", perfscan(JOBS, two, "warm"), nothing),
        Task("perfscan, one file changed", perfscan(JOBS, two, "edit"), edit(project.middling)),
        Task("perfscan, most imported file changed", perfscan(JOBS, two, "hub"), edit(project.hub)),
    ]


def _edit(file: Path, text: str, number: int) -> None:
    """Add a line in front and a function behind, another one each time."""
    added = f"\n\ndef added_{number}(items):\n    return [str(item) for item in items]\n"
    file.write_text(f"# changed {number}\n{text}{added}", "utf-8")


class _Run(NamedTuple):
    seconds: float
    megabytes: float
    ended: bool
    status: int
    """Not 0 when the tool failed: all are told to end with 0 whatever they find."""


def _run(command: Command, project: Project, limit: float | None, *, watch: bool = False) -> _Run:
    environment = {**os.environ, **command.environment, "PYTHONWARNINGS": "ignore"}
    started = time.perf_counter()
    process = subprocess.Popen(
        command.line, cwd=project.folder, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    peak = [0.0]
    watcher = threading.Thread(target=_watch, args=(process, peak)) if watch else None
    if watcher is not None:
        watcher.start()
    try:
        process.wait(limit)
        ended = True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        ended = False
    seconds = time.perf_counter() - started
    if watcher is not None:
        watcher.join()
    return _Run(seconds, peak[0], ended, process.returncode)


def _watch(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    """Note the peak memory of a process and all below it; shared pages count once."""
    import psutil

    while process.poll() is None:
        total = 0
        with suppress(psutil.Error):
            parent = psutil.Process(process.pid)
            for member in (parent, *parent.children(recursive=True)):
                with suppress(psutil.Error):
                    total += member.memory_full_info().pss
        peak[0] = max(peak[0], total / 1e6)
        time.sleep(0.02)


def _line(row: Row) -> str:
    note = f"  {row.note}" if row.note else ""
    times = f"{row.seconds:8.2f} s {row.times_ruff:8.2f} x {row.megabytes:7.0f} MB"
    return f"  {row.label:38} {times}{note}"


def _table(rows: list[Row], sizes: list[str], versions: dict[str, str], repeat: int) -> str:
    names = list(dict.fromkeys(row.project for row in rows))
    lines = [
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for label in dict.fromkeys(row.label for row in rows):
        cells = [
            _cell(row)
            for name in names
            for row in rows
            if (row.project, row.label) == (name, label)
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    tools = ", ".join(f"{name} {version}" for name, version in versions.items())
    machine = f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}"
    how = (
        "Seconds (times ruff cold), peak memory of all processes; "
        f"{'one run each' if repeat == 1 else f'median of {repeat} runs in turn'}"
    )
    return "\n".join(
        [*lines, "", f"{how}, slow tools once. {machine}; {tools}.", f"{', '.join(sizes)}.", ""]
    )


def _cell(row: Row) -> str:
    if row.note == "failed":
        return f"failed after {row.seconds:.0f} s"
    sign = "> " if row.note else ""
    return f"{sign}{row.seconds:.2f} ({row.times_ruff:.1f}x), {row.megabytes:.0f} MB"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


if __name__ == "__main__":
    main()
