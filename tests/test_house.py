"""The rules of the house: where things live, which way imports point, what ships."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("analyzers", "cli", "replay", "reports")
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
HEAVY = ("aiohttp", "asyncio", "httptools", "jsonpath", "numpy", "pandas", "numba", "psutil")
HEAVY += (
    "msgspec",
    "redis",
    "requests",
    "rich",
    "trustme",
    "uvloop",
    "sqlglot",
    "websockets",
    "yaml",
)

# A room may import from these rooms; reports see only the model modules of the two big ones.
DOWNHILL = {
    "perfscan": {"perfscan"},
    "analyzers": {"perfscan", "analyzers"},
    "replay": {"perfscan", "replay"},
    "reports": {"perfscan", "reports", "analyzers.model", "replay.model"},
    "cli": {"perfscan", "analyzers", "replay", "reports", "cli", "fixtures"},
    "fixtures": {"perfscan", "fixtures.simulation"},
}


def sources() -> Iterator[Path]:
    for room in ("perfscan", *ROOMS, "fixtures/simulation"):
        yield from sorted((ROOT / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and path.parent == ROOT / "replay" / "agent":
            # The agent has another package name in the bot's process, so its imports are relative.
            if node.level and not node.module:
                yield from (alias.name for alias in node.names)
            else:
                yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: relative import"
            yield node.module or ""
            if node.module in ("perfscan.analyzers", "perfscan.replay"):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_package_on_disk_is_in_the_wheel() -> None:
    folders = {package: ROOT / folder for package, folder in SETUPTOOLS["package-dir"].items()}
    on_disk = set()
    for package, folder in folders.items():
        for init in folder.rglob("__init__.py"):
            inside = init.parent.relative_to(folder).parts
            if package == "perfscan.fixtures" and inside not in ((), ("simulation",)):
                continue  # bots and rule fixtures are data, whatever they hold
            on_disk.add(".".join((package, *inside)))
    assert on_disk == set(SETUPTOOLS["packages"])


@pytest.mark.parametrize("path", list(sources()), ids=name_of)
def test_imports_point_downhill(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    allowed = DOWNHILL[room]
    for module in imported(path):
        top, _, rest = module.partition(".")
        assert top not in ROOMS, f"{name_of(path)} makes a second copy: import perfscan.{module}"
        if top != "perfscan":
            continue
        target = rest.partition(".")[0]
        if name_of(path) == "perfscan/__main__.py":
            assert module == "perfscan.cli.main"
        elif target not in (*ROOMS, "fixtures"):
            assert "perfscan" in allowed
        else:
            whole = ".".join(rest.split(".")[:2])
            assert target in allowed or whole in allowed, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", list(sources()), ids=name_of)
def test_a_module_is_small_named_and_introduced(path: Path) -> None:
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), "a module opens with a sentence"
    assert text.count("\n") <= 500, "split it"
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}


def test_rules_and_importers_do_not_import_each_other() -> None:
    for folder in ("analyzers/rules", "replay/importers"):
        own = "perfscan." + folder.replace("/", ".") + "."
        for path in (ROOT / folder).glob("*.py"):
            assert not [module for module in imported(path) if module.startswith(own)], path


@pytest.mark.parametrize(("one", "other"), [("recorder", "server"), ("server", "recorder")])
def test_recorder_and_server_are_strangers(one: str, other: str) -> None:
    for path in (ROOT / "replay" / one).glob("*.py"):
        assert not [name for name in imported(path) if name.startswith(f"perfscan.replay.{other}")]


def test_tests_import_no_room_under_its_bare_name() -> None:
    """``python -m pytest`` puts the root on the path, where such a name is the room itself."""
    for path in (ROOT / "tests").rglob("*.py"):
        found = [name for name in imported(path) if name.partition(".")[0] in ROOMS]
        assert not found, f"{name_of(path)} imports {found[0]}"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from perfscan.cli.main import execute; execute(['--help']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert "analyze" in done.stdout
    assert not set(HEAVY) & set(done.stderr.split())


def test_the_agent_is_standard_library_only() -> None:
    for path in (ROOT / "replay" / "agent").glob("*.py"):
        for module in imported(path):
            top = module.partition(".")[0]
            beside = (path.parent / f"{top}.py").exists()
            assert top in sys.stdlib_module_names or beside, f"{path.name} imports {module}"


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name]


def test_no_machine_paths_and_no_registry_hosts() -> None:
    machine = re.compile(rb"/(?:root|work|home/\w+)/\w|files\.pythonhosted|registry\.npmjs")
    found = [
        name_of(path)
        for path in tracked()
        if path.suffix not in {".gz", ".png"} and path != Path(__file__).resolve()
        if path.is_file() and machine.search(path.read_bytes())
    ]
    assert found == []


def test_no_test_folder_is_a_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
