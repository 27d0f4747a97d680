import gc
from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Confidence, Severity

BLOCKING = "import time\n\n\nasync def f():\n    time.sleep(1)\n"


def write(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (folder / f"{name}.py").write_bytes(data)
    return folder


def test_a_finding_says_everything(tmp_path: Path) -> None:
    scan = analyze([write(tmp_path, bot=BLOCKING)], root=tmp_path)
    (finding,) = scan.findings
    assert (finding.rule, finding.name, finding.severity) == (
        "PS102",
        "blocking-sleep",
        Severity.CRITICAL,
    )
    assert (finding.path, finding.symbol) == ("bot.py", "bot:f")
    assert (finding.span.line, finding.span.column, finding.span.end_column) == (5, 5, 18)
    assert finding.why
    assert finding.fix
    assert finding.fingerprint
    assert scan.sources["bot.py"][4] == "    time.sleep(1)"
    assert (scan.files, scan.lines) == (1, 5)


def test_columns_count_characters(tmp_path: Path) -> None:
    source = "import time\nasync def f():\n    'äöü'; time.sleep(1)\n"
    scan = analyze([write(tmp_path, bot=source)], root=tmp_path)
    assert scan.findings[0].span.column == source.split("\n")[2].index("time") + 1


@pytest.mark.parametrize(
    "broken", [b"x = '\x00'", b"print 'x'", b"# \xff\xfe\n", b"-" * 100_000 + b"1"]
)
def test_one_broken_file_does_not_hide_the_others(tmp_path: Path, broken: bytes) -> None:
    scan = analyze([write(tmp_path, bot=BLOCKING, broken=broken)], root=tmp_path)
    assert [finding.path for finding in scan.findings] == ["bot.py"]
    (error,) = scan.errors
    assert (error.path, error.named) == ("broken.py", False)


def test_a_broken_file_that_was_named_is_marked(tmp_path: Path) -> None:
    scan = analyze([write(tmp_path, broken=b"\x00") / "broken.py"], root=tmp_path)
    assert scan.errors[0].named


def test_tests_are_only_informative(tmp_path: Path) -> None:
    scan = analyze([write(tmp_path, test_bot=BLOCKING)], root=tmp_path)
    assert [finding.severity for finding in scan.findings] == [Severity.INFO]


def test_comments_silence(tmp_path: Path) -> None:
    quiet = BLOCKING.replace("sleep(1)", "sleep(1)  # perfscan: ignore[PS102] short")
    scan = analyze([write(tmp_path, bot=quiet)], root=tmp_path)
    assert (scan.findings, len(scan.ignored)) == ((), 1)


def test_two_scans_are_equal(tmp_path: Path) -> None:
    write(tmp_path, a=BLOCKING, b=BLOCKING, c="from a import f\nasync def g(): await f()")
    assert analyze([tmp_path], root=tmp_path) == analyze([tmp_path], root=tmp_path)


def test_what_only_a_name_speaks_for_is_hidden(tmp_path: Path) -> None:
    source = "async def f(x, names):\n    for n in names:\n        await x.fetch_ticker(n)\n"
    write(tmp_path, bot=source)
    assert analyze([tmp_path], root=tmp_path).findings == ()
    (finding,) = analyze([tmp_path], root=tmp_path, possible=True).findings
    assert finding.confidence is Confidence.POSSIBLE


def test_memory_returns_without_the_cycle_collector(tmp_path: Path) -> None:
    write(tmp_path, a=BLOCKING, b="class A:\n    def f(self): return self.x\n")

    def values() -> int:
        return sum(isinstance(thing, Value | Call) for thing in gc.get_objects())

    before = values()
    gc.disable()
    try:
        analyze([tmp_path], root=tmp_path)
        after = values()
    finally:
        gc.enable()
    assert after == before


def test_a_fix_is_offered_only_where_it_can_be_made(tmp_path: Path) -> None:
    callback = "import asyncio, time\ndef f(): time.sleep(1)\n"
    callback += "asyncio.new_event_loop().call_soon(f)\n"
    scan = analyze([write(tmp_path, a=BLOCKING, b=callback)], root=tmp_path, select=["PS102"])
    assert [finding.fixable for finding in scan.findings] == ["safe", "no"]


def test_an_empty_folder_is_a_clean_scan(tmp_path: Path) -> None:
    scan = analyze([tmp_path], root=tmp_path)
    assert (scan.files, scan.findings, scan.errors) == (0, (), ())


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    analyze(
        [write(tmp_path, a="", b="")],
        root=tmp_path,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]
