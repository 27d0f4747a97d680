"""What a user gets from ``pip install perfscan`` without extras."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.endtoend
ROOT = Path(__file__).resolve().parents[2]

if not (ROOT / "perfscan").is_dir():  # pragma: no cover - an sdist holds the sources, too
    pytest.skip("needs the sources", allow_module_level=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT],
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scanner(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel and its hard dependencies only."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True)
    return folder / "bin" / "perfscan"


def test_the_wheel_holds_only_perfscan(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"perfscan"}
    assert "perfscan/py.typed" in names
    for file in (ROOT / "fixtures" / "bots").glob("*/*"):
        if file.is_file():
            assert f"perfscan/{file.relative_to(ROOT).as_posix()}" in names
    assert "perfscan/fixtures/simulation/serving.py" in names
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    assert not [name for name in names if name.startswith("perfscan/fixtures/rules")]


def test_the_scanner_works_without_extras(scanner: Path, tmp_path: Path) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text("import time\n\nasync def tick():\n    time.sleep(1)\n", "utf-8")
    done = subprocess.run(
        [scanner, "analyze", bot], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert "PS102" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("bench", "replay", "scenario.yaml"), "bench"),
        (("record", "-o", "t.jsonl", "--", "true"), "bench"),
        (("demo",), "demo"),
    ],
)
def test_what_needs_an_extra_says_which(
    scanner: Path, tmp_path: Path, words: tuple[str, ...], extra: str
) -> None:
    done = subprocess.run(
        [scanner, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert f"perfscan[{extra}]" in done.stderr
    assert len(done.stderr.splitlines()) == 2
