"""Link the rooms below ``.typecheck/perfscan`` so that type checkers see the installed layout.

mypy and pyright cannot follow the editable install's import hook, so this reads the package map
of pyproject.toml and mirrors it as links. Run it before ``mypy``.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build(root: Path) -> Path:
    """Write ``root/.typecheck/perfscan`` afresh and return it."""
    package_dirs: dict[str, str] = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))[
        "tool"
    ]["setuptools"]["package-dir"]
    tree = root / ".typecheck" / "perfscan"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for entry in sorted((root / package_dirs["perfscan"]).iterdir()):
        if entry.name != "__pycache__":
            (tree / entry.name).symlink_to(entry)
    for package, folder in package_dirs.items():
        if package.count(".") == 1:
            (tree / package.partition(".")[2]).symlink_to(root / folder, target_is_directory=True)
    return tree


if __name__ == "__main__":
    build(ROOT)
