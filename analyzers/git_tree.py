"""The sources of another revision, laid out in a temporary folder to be scanned there."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from perfscan.errors import InputError


@dataclass(frozen=True, slots=True)
class Tree:
    """A revision on disk."""

    commit: str
    """The full hash: of the merge base when the revision has one with HEAD."""
    here: Path
    """What is the repository's top folder today."""
    there: Path
    """The same folder as it was."""

    def then(self, path: Path) -> Path:
        """Return the place of today's absolute ``path`` in the old tree, where it may not exist."""
        return self.there / path.relative_to(self.here)


@contextmanager
def tree_at(revision: str, cwd: Path) -> Iterator[Tree]:
    """Lay out the point at which the work tree left ``revision``; it vanishes afterwards.

    That is the merge base with HEAD: what others added to the branch since is no matter of this
    change. Raises InputError outside of a repository and for an unknown revision.
    """
    top = Path(_git(cwd, "rev-parse", "--show-toplevel").strip())
    commit = _commit(revision, top)
    base = _merge_base(commit, top)
    with tempfile.TemporaryDirectory(prefix="perfscan-since-") as folder:
        # An index of its own: neither the user's index nor the list of worktrees is touched, and
        # unlike an archive it leaves nothing out.
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        there = Path(folder, "tree")
        _git(top, "read-tree", base, environment=index)
        _git(top, "checkout-index", "--all", f"--prefix={there}/", environment=index)
        there.mkdir(exist_ok=True)
        yield Tree(base, top, there)


def _commit(revision: str, top: Path) -> str:
    if revision.startswith("-"):
        raise InputError(f"--since {revision}: this is no revision", remedy="name a branch or tag")
    found = _run(top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found.returncode:
        raise InputError(
            f"--since {revision}: the repository has no such revision",
            where=str(top),
            remedy="name a branch, tag or commit; a shallow clone may need git fetch --unshallow",
        )
    return found.stdout.decode().strip()


def _merge_base(commit: str, top: Path) -> str:
    found = _run(top, "merge-base", commit, "HEAD")
    if found.returncode:  # unrelated or shallow history: compare with the revision itself
        return commit
    return found.stdout.decode().strip()


def _git(cwd: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> str:
    done = _run(cwd, *arguments, environment=environment)
    if done.returncode:
        raise _failure(done)
    return done.stdout.decode("utf-8", "surrogateescape")


def _run(
    cwd: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            capture_output=True,
            check=False,
            env={**os.environ, **environment},
        )
    except FileNotFoundError as error:
        raise InputError("--since needs git", remedy="install git") from error


def _failure(done: subprocess.CompletedProcess[bytes]) -> InputError:
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return InputError(
        f"--since: git says: {said[-1] if said else 'nothing'}",
        remedy="run it inside a git repository",
    )
