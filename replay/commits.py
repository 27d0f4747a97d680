"""The folder of a scenario as it was at two commits, laid out beside each other."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.model import Scenario, Side
from perfscan.replay.scenario import read_scenario


def check_out(scenario: Path, commit: str, into: Path) -> Path:
    """Unpack the repository of ``scenario`` at ``commit``; return the scenario file therein.

    The working copy is left alone. Raises InputError outside of git, for an unknown commit and
    for one without the scenario.
    """
    top = Path(_git(scenario.parent, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    # The folder's real place, not the file's: a link may lead out of the repository.
    inside = (scenario.parent.resolve() / scenario.name).relative_to(top.resolve())
    name = _git(top, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    with tarfile.open(fileobj=BytesIO(_git(top, "archive", "--format=tar", name))) as archive:
        archive.extractall(into, filter=_inside)
    found = into / inside
    if not found.is_file():
        raise InputError(
            f"commit {commit} has no {inside.as_posix()}", remedy="name commits that have it"
        )
    return found


def join_commits(earlier: Path, later: Path, side: Side) -> Scenario:
    """Return the scenario of ``later`` with ``side`` of both commits as its two sides.

    Raises InputError where their recordings differ: then there is nothing to compare.
    """
    before, after = read_scenario(earlier), read_scenario(later)
    if before.recording.read_bytes() != after.recording.read_bytes():
        raise InputError(
            "the two commits hold different recordings",
            where=after.recording.name,
            remedy="name commits with the same recording",
        )
    sides = [one.original if side == "original" else one.optimized for one in (before, after)]
    return replace(
        after,
        original=replace(sides[0], name="original"),
        optimized=replace(sides[1], name="optimized"),
        claims=(),  # they speak of the scenario's two sides, not of its commits
    )


def _inside(member: tarfile.TarInfo, into: str) -> tarfile.TarInfo | None:
    """Leave out links that lead elsewhere, which a repository may hold."""
    try:
        return tarfile.data_filter(member, into)
    except tarfile.FilterError:
        return None


def _git(folder: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    except OSError as error:
        raise InputError(
            "git is not installed", remedy="install it, or compare two files"
        ) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise InputError(
            f"git {words[0]}: {said[-1] if said else 'no such commit'}",
            where=str(folder),
            remedy="name two commits of the repository that holds the scenario",
        )
    return done.stdout
