"""The tools that are compared, each in the environment of the benchmark, and their commands."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("ruff", "flake8 flake8-async", "pylint perflint", "semgrep")
RULES = Path(__file__).with_name("semgrep.yaml")


@dataclass(frozen=True)
class Command:
    """One command line; ``slow`` ones run once."""

    tool: str
    how: str
    line: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False


def installed(folder: Path) -> dict[str, str]:
    """Make the environment when it is missing; return the versions of the tools that it has."""
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
        for packages in PACKAGES:
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, *packages.split()], check=False)
    lines = subprocess.run(
        [str(folder / "bin" / "python"), "-m", "pip", "list", "--format=freeze"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    versions = dict(line.split("==", 1) for line in lines if "==" in line)
    names = [name for packages in PACKAGES for name in packages.split()]
    return {name: versions[name] for name in names if name in versions}


PERFLINT = "W8101,W8102,W8201,W8202,W8203,W8204,W8205,W8301,W8401,W8402,W8403"
"""pylint enables messages by id, not by plugin."""


def perfscan(jobs: int, cache: Path, how: str) -> Command:
    """Return a scan that keeps its cache in ``cache``."""
    line = [sys.executable, "-m", "perfscan", "analyze", "--format", "concise"]
    line += ["--fail-on", "never", "--jobs", str(jobs), "."]
    return Command("perfscan", how, line, {"PERFSCAN_CACHE_DIR": str(cache)})


def ruff(folder: Path, cache: Path | None) -> Command:
    """Return ruff with its default rules and those for speed and for asyncio."""
    kept = ["--cache-dir", str(cache)] if cache else ["--no-cache"]
    line = [str(folder / "bin" / "ruff"), "check", "--isolated", "--exit-zero", "--quiet"]
    line += ["--extend-select", "ASYNC,PERF", "--output-format", "concise", *kept, "."]
    return Command("ruff", "warm" if cache else "cold", line)


def others(folder: Path, versions: Mapping[str, str], jobs: int) -> list[Command]:
    """Return the commands of the slower tools that could be installed; findings are no failure."""
    programs = folder / "bin"
    flake8 = [str(programs / "flake8"), "--isolated", "--select", "ASYNC", "--jobs", str(jobs)]
    flake8 += ["--exit-zero"]
    pylint = [str(programs / "pylint"), "--rcfile", "/dev/null", "--load-plugins", "perflint"]
    pylint += ["--disable", "all", "--enable", PERFLINT, "--jobs", str(jobs), "--recursive", "y"]
    pylint += ["--exit-zero"]
    semgrep = [str(programs / "semgrep"), "scan", "--config", str(RULES), "--metrics", "off"]
    semgrep += ["--disable-version-check", "--no-git-ignore", "--quiet", "--jobs", str(jobs)]
    known = {"flake8-async": flake8, "perflint": pylint, "semgrep": semgrep}
    titles = {"flake8-async": "flake8 with flake8-async", "perflint": "pylint with perflint"}
    return [
        Command(titles.get(name, name), "", [*line, "."], slow=True)
        for name, line in known.items()
        if name in versions
    ]
