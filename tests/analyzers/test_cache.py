"""The cache forgets rather than fails, and never makes a scan find something else."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfscan.analyzers import cache as cache_module
from perfscan.analyzers import engine
from perfscan.analyzers.cache import Cache, cache_folder
from perfscan.analyzers.engine import analyze
from perfscan.analyzers.inputs import Record, take_stock
from perfscan.analyzers.knowledge import Knowledge, load_knowledge
from perfscan.analyzers.model import Analysis

BLOCKING = "import time\n\n\nasync def f():\n    time.sleep(1)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.py").write_text(BLOCKING)
    return folder


def scan(project: Path, cache: Path | None, **options: object) -> Analysis:
    return analyze([project], root=project, cache=cache, **options)  # type: ignore[arg-type]


OPENED: list[Cache] = []


def opened(folder: Path, now: float = 1.0) -> Cache:
    OPENED.append(Cache(folder, lambda: now))
    return OPENED[-1]


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def test_entries_come_back(tmp_path: Path) -> None:
    opened(tmp_path).put_all([(b"a", (1, "x")), (b"b", [2])])
    assert opened(tmp_path).get_all([b"a", b"b", b"c"]) == {b"a": (1, "x"), b"b": [2]}


def test_no_folder_keeps_nothing() -> None:
    nothing = Cache(None, lambda: 1.0)
    nothing.put_all([(b"a", 1)])
    assert nothing.get(b"a") is None


def test_an_unchanged_project_is_not_scanned_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scan(project, tmp_path / "cache")
    monkeypatch.setitem(sys.modules, "perfscan.analyzers.fresh", None)  # importing it fails
    again = scan(project, tmp_path / "cache")
    assert (again.findings, again.cached_files) == (first.findings, 3)
    assert first.cached_files == 0


def test_an_edit_within_the_clocks_step_is_seen(project: Path, tmp_path: Path) -> None:
    scan(project, tmp_path / "cache")
    file = project / "a.py"
    before = file.stat()
    file.write_text(BLOCKING.replace("sleep(1)", "ctime(1)"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert len(scan(project, tmp_path / "cache").findings) == 2


def test_settled_files_are_not_opened(project: Path) -> None:
    from perfscan.analyzers.discover import discover

    files = discover([project], project).files
    later = time.time_ns() + 10**10
    stock, opened_any = take_stock(files, {}, later)
    assert opened_any
    assert take_stock(files, stock, later) == (stock, False)
    fresh = {path: Record(*record[:3], settled=False) for path, record in stock.items()}
    assert take_stock(files, fresh, later) == (stock, True)


@pytest.mark.parametrize(
    "options", [{"select": ["PS2"]}, {"possible": True}, {"thresholds": {("a", "b"): 1}}]
)
def test_other_options_are_another_scan(
    project: Path, tmp_path: Path, options: dict[str, object]
) -> None:
    scan(project, tmp_path / "cache")
    other = scan(project, tmp_path / "cache", **options)
    assert other.cached_files == 0
    assert other.findings == scan(project, None, **options).findings


def test_other_knowledge_is_another_scan(project: Path, tmp_path: Path) -> None:
    scan(project, tmp_path / "cache")
    shipped = load_knowledge()
    less = Knowledge(
        [library for library in shipped.libraries if library.name != "time"],
        shipped.callback_entries,
    )
    assert scan(project, tmp_path / "cache", knowledge=less).cached_files == 0


def test_another_version_is_another_scan(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(project, tmp_path / "cache")
    monkeypatch.setattr(engine, "own_digest", lambda: b"another")
    assert scan(project, tmp_path / "cache").cached_files == 0


@pytest.mark.parametrize("damage", ["text", "torn", "folder", "emptied", "bits"])
def test_a_broken_file_is_no_harm(project: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    first = scan(project, cache)
    (file,) = cache.glob("*.sqlite")
    if damage == "text":
        file.write_text("no database at all " * 100)
    elif damage == "torn":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    elif damage == "emptied":
        file.write_bytes(b"")
    else:
        with sqlite3.connect(file) as database:
            database.execute("UPDATE entries SET data = substr(data, 1, length(data) / 2)")
        database.close()
    assert scan(project, cache).findings == first.findings
    assert scan(project, cache).findings == first.findings


def test_a_file_that_is_no_database_is_made_anew(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    scan(project, cache)
    (file,) = cache.glob("*.sqlite")
    file.write_text("no database at all " * 100)
    scan(project, cache)
    scan(project, cache)
    assert scan(project, cache).cached_files == 3


def test_a_folder_that_cannot_be_made_is_no_harm(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(scan(project, tmp_path / "file" / "cache").findings) == 3


@pytest.mark.parametrize("error", [OSError(28, "No space left"), sqlite3.OperationalError("full")])
def test_a_full_disk_is_no_harm(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(value: object) -> bytes:
        raise error

    monkeypatch.setattr(cache_module, "_packed", fail)
    assert len(scan(project, tmp_path / "cache").findings) == 3
    assert scan(project, tmp_path / "cache").cached_files == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_is_really_full_is_no_harm(project: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no tmpfs here")
    try:
        for number in range(40):
            (project / f"more{number}.py").write_text(f"x{number} = 1\n" * 400)
        assert len(scan(project, disk / "cache").findings) == 3
        assert len(scan(project, disk / "cache").findings) == 3
    finally:
        subprocess.run(["umount", disk], check=True)


def test_the_oldest_entries_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "MAX_BYTES", 200_000)
    for number in range(30):
        opened(tmp_path, float(number)).put_all([(bytes([number]), os.urandom(20_000))])
    left = opened(tmp_path).get_all([bytes([number]) for number in range(30)])
    assert bytes([29]) in left
    assert bytes([0]) not in left
    assert sum(file.stat().st_size for file in tmp_path.glob("*.sqlite")) < 400_000


WRITER = """
import sys
from itertools import count
from pathlib import Path
from perfscan.analyzers.cache import Cache

cache = Cache(Path(sys.argv[1]), lambda: 1.0)
for number in count():
    cache.put_all([(b"%d" % number, "x" * 10_000)])
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_a_sound_cache(tmp_path: Path) -> None:
    opened(tmp_path).put_all([(b"kept", "before")])
    command = [sys.executable, "-P", "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"0\n"
        writer.send_signal(signal.SIGKILL)
    after = opened(tmp_path)
    assert after.get(b"kept") == "before"
    after.put_all([(b"more", "after")])
    assert opened(tmp_path).get(b"more") == "after"
    with sqlite3.connect(next(tmp_path.glob("*.sqlite"))) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_two_scans_at_once(project: Path, tmp_path: Path, own_cache: Path) -> None:
    command = [sys.executable, "-P", "-m", "perfscan", "analyze", "--format", "json-lines"]
    command += ["--fail-on", "never", str(project)]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = [run.communicate(timeout=120) for run in runs]
    assert len(set(outputs)) == 1
    assert outputs[0][0].count(b"PS102") == 3
    assert all(run.returncode == 0 for run in runs)


def test_where_the_cache_is() -> None:
    assert cache_folder({"PERFSCAN_CACHE_DIR": "/x"}) == Path("/x")
    assert cache_folder({"XDG_CACHE_HOME": "/y"}) == Path("/y/perfscan")
    assert cache_folder({}) == Path.home() / ".cache" / "perfscan"


@pytest.mark.parametrize("lost", [b"parts", b"rows", b"table"])
def test_a_past_that_is_gone_in_part_is_done_without(
    project: Path, tmp_path: Path, lost: bytes
) -> None:
    cache = tmp_path / "cache"
    scan(project, cache)
    with sqlite3.connect(next(cache.glob("*.sqlite"))) as database:
        gone = database.execute("DELETE FROM entries WHERE instr(key, ?)", (lost,))
        assert gone.rowcount > 0
    database.close()
    (project / "a.py").write_text("def added():\n    f()\n" + BLOCKING)
    after = scan(project, cache)
    assert after.findings == scan(project, None).findings


def test_an_unchanged_project_needs_little_of_perfscan(project: Path, own_cache: Path) -> None:
    command = [sys.executable, "-P", "-X", "importtime", "-m", "perfscan", "analyze", str(project)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(2)]
    first, again = (run.stderr for run in runs)
    for module in ("yaml", "perfscan.analyzers.scanning", "perfscan.analyzers.names"):
        assert f" {module}\n" in first
        assert f" {module}\n" not in again
