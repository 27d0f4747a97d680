"""What makes a program a bot, and what silences the rules that speak once of a whole bot."""

import textwrap
from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

BOT = """
import requests
{imports}
def main():
    {before}
    while True:
        {turn}
        requests.get("https://api.example.org", timeout=5)

{start}
"""
START = 'if __name__ == "__main__":\n    main()'


def found(folder: Path, rule: str, **parts: str) -> int:
    fields = {"imports": "", "before": "pass", "turn": "pass", "start": START} | parts
    (folder / "bot.py").write_text(textwrap.dedent(BOT).format(**fields), "utf-8")
    return len(analyze([folder], root=folder, select=[rule]).findings)


def test_a_bot_without_any_measurement(tmp_path: Path) -> None:
    assert found(tmp_path, "PS1404") == 1


@pytest.mark.parametrize(
    "start",
    [
        "",
        "class Library: pass",
        "if DEBUG:\n    main()",
    ],
)
def test_a_library_is_no_bot(start: str, tmp_path: Path) -> None:
    assert found(tmp_path, "PS1404", start=start) == 0


def test_a_script_that_ends_is_no_bot(tmp_path: Path) -> None:
    script = 'import requests\nif __name__ == "__main__":\n    requests.get("https://a.b")\n'
    (tmp_path / "script.py").write_text(script, "utf-8")
    assert analyze([tmp_path], root=tmp_path, select=["PS1404"]).findings == ()


def test_a_bot_that_a_library_runs(tmp_path: Path) -> None:
    start = "import asyncio\nasyncio.run(main())"
    assert found(tmp_path, "PS1404", start=start) == 1


@pytest.mark.parametrize(
    ("imports", "turn"),
    [
        ("import time", "started = time.perf_counter()"),
        ("import time", "took = time.time() - state"),
        ("import time", 'print(f"{time.monotonic() - state:.2f} s")'),
        ("import prometheus_client", "prometheus_client.Counter('calls', 'calls').inc()"),
        ("import sentry_sdk", "sentry_sdk.init('')"),
        ("from statsd import StatsClient", "StatsClient().incr('calls')"),
        ("import datetime", "took = datetime.datetime.now() - state"),
        ("import tracemalloc", "tracemalloc.start()"),
    ],
)
def test_a_bot_that_measures(imports: str, turn: str, tmp_path: Path) -> None:
    assert found(tmp_path, "PS1404", imports=imports, turn=turn) == 0


LOGGING = "import logging, logging.config, os, sys"
FIXED = "logging.getLogger(__name__).setLevel(logging.INFO)"


@pytest.mark.parametrize(
    "chosen",
    [
        "logging.basicConfig(level=os.environ['LOG_LEVEL'])",
        "logging.basicConfig(level=logging.DEBUG if os.environ.get('D') else logging.INFO)",
        "logging.getLogger().setLevel(settings.level)",
        "logging.basicConfig(level=getattr(logging, name))",
        "logging.config.dictConfig(settings)",
        "if sys.argv: logging.getLogger().setLevel(logging.DEBUG)",
    ],
)
def test_a_log_level_that_can_be_chosen(chosen: str, tmp_path: Path) -> None:
    assert found(tmp_path, "PS1203", imports=LOGGING, before=FIXED) == 1
    assert found(tmp_path, "PS1203", imports=LOGGING, before=f"{FIXED}\n    {chosen}") == 0


@pytest.mark.parametrize(
    "before",
    ["logging.basicConfig(format='%(message)s')", "logging.getLogger('urllib3').setLevel(40)"],
)
def test_a_log_level_that_is_not_the_bots(before: str, tmp_path: Path) -> None:
    assert found(tmp_path, "PS1203", imports=LOGGING, before=before) == 0


def test_a_log_level_of_a_script_may_be_fixed(tmp_path: Path) -> None:
    fixed = "logging.basicConfig(level=logging.INFO)"
    assert found(tmp_path, "PS1203", imports="import logging", before=fixed, start="") == 0


STREAM = """
import asyncio
import websockets
{imports}

async def listen():
    async with websockets.connect("wss://stream.example.org") as stream:
        async for message in stream:
            print(message)

asyncio.run({main}())
"""


@pytest.mark.parametrize(
    ("imports", "main", "count"),
    [
        ("", "listen", 1),
        ("import uvloop", "listen", 0),
        ("import MetaTrader5", "listen", 0),
        ("policy = asyncio.WindowsSelectorEventLoopPolicy", "listen", 0),
    ],
)
def test_the_loop_of_a_stream(imports: str, main: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(STREAM.format(imports=imports, main=main), "utf-8")
    assert len(analyze([tmp_path], root=tmp_path, select=["PS1402"]).findings) == count


def test_a_bot_without_a_stream_needs_no_faster_loop(tmp_path: Path) -> None:
    text = "import asyncio\nasync def main():\n    await asyncio.sleep(1)\nasyncio.run(main())\n"
    (tmp_path / "bot.py").write_text(text, "utf-8")
    assert analyze([tmp_path], root=tmp_path, select=["PS1402"]).findings == ()
