"""The whole loop on the position monitor: the same orders, in a fraction of the time."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from endtoend.toy import perfscan_command

pytestmark = pytest.mark.endtoend
BOT = Path(__file__).resolve().parents[2] / "fixtures" / "bots" / "position_monitor"


def replay(folder: Path, scenario: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        perfscan_command(
            *("bench", "replay", scenario, "-o", "run.json", "--report", "report.md"),
            *("--pairs", "1", "--no-history", *words),
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (folder / "run.json").exists(), done.stderr
    return done.returncode, json.loads((folder / "run.json").read_text("utf-8")), done.stderr


def copy_to(folder: Path, **changes: Any) -> Path:
    """Return the scenario of a copy, with ``changes`` in what begins its items."""
    shutil.copytree(BOT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return changed(folder / "scenario.yaml", lambda all_: all_["items"]["stimulus"].update(changes))


def changed(file: Path, change: Callable[[Any], object]) -> Path:
    """Change a scenario where it stands."""
    content = yaml.safe_load(file.read_text("utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content), "utf-8")
    return file


@pytest.fixture(scope="module")
def before_after(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """The first cycle on both sides; the original takes 75 s for it."""
    folder = tmp_path_factory.mktemp("position_monitor")
    scenario = copy_to(folder / "bot", cycles=1)
    _, run, _ = replay(folder, scenario)
    return run, (folder / "report.md").read_text("utf-8")


def figure(run: dict[str, Any], metric: str) -> tuple[float, float]:
    found = run["comparison"][metric]
    return found["before"], found["after"]


def test_both_place_the_same_orders(before_after: tuple[Any, str]) -> None:
    run, _ = before_after
    work = run["equivalence"]
    assert work["same"] is True, work["differences"]
    assert work["items"] == 1
    for side in ("original", "optimized"):
        assert work[side] == {"handled": 1, "missed": 0, "duplicated": 0, "wrong": 0}
    assert figure(run, "decisions") == (3, 3)


def test_every_request_was_answered_from_the_recording(before_after: tuple[Any, str]) -> None:
    run, _ = before_after
    for side in run["implementations"].values():
        for one in side["runs"]:
            assert one["ok"], one
            assert one["unmatched"] == 0
            assert one["escapes"] == []


def test_the_optimized_bot_asks_for_less_and_is_done_sooner(before_after: tuple[Any, str]) -> None:
    run, _ = before_after
    assert figure(run, "api_calls_per_item") == (78, 30)
    latency = figure(run, "item_latency_ms.mean")
    assert latency[1] < latency[0] / 8
    hits = figure(run, "order_cache_hit_rate")
    assert hits[0] < 0.4
    assert hits[1] > 0.8
    lag = figure(run, "loop_lag_ms.max")
    assert lag[1] < lag[0]


def test_the_report_answers_every_claim(before_after: tuple[Any, str]) -> None:
    run, report = before_after
    assert len(run["claims"]) >= 20
    for claim in run["claims"]:
        assert claim["measured"], claim
    assert "Processed 39 monitors in 11.23s" in report


# --- What would not be the same work ----------------------------------------------------------


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """One cycle of a copy whose original is the optimized bot, since that takes seconds."""
    scenario = copy_to(tmp_path / "bot", cycles=1)
    shutil.rmtree(tmp_path / "bot" / "original")
    shutil.copytree(tmp_path / "bot" / "optimized", tmp_path / "bot" / "original")
    return scenario


CANCELLED = "ADAUSDT-M-FST-TP2"


@pytest.mark.parametrize(("kind", "times"), [("missed", 0), ("duplicated", 2)])
def test_one_order_dropped_or_doubled_is_different_work(
    quick: Path, tmp_path: Path, kind: str, times: int
) -> None:
    source = quick.parent / "optimized" / "orders.py"
    text = source.read_text("utf-8")
    assert "    async def _send(" in text
    wrapper = (
        "    async def _send(self, monitor, instruction):\n"
        f"        chosen = instruction.body.get('orderLinkId') == {CANCELLED!r}\n"
        "        done = True\n"
        f"        for _ in range({times} if chosen else 1):\n"
        "            done = await self._send_once(monitor, instruction)\n"
        "        return done\n\n"
    )
    broken = text.replace("    async def _send(", wrapper + "    async def _send_once(", 1)
    source.write_text(broken, "utf-8")
    status, run, error = replay(tmp_path, quick, "--no-scan")
    assert status == 4, error
    assert run["verdict"] == "replies differ"
    (difference,) = run["equivalence"]["differences"]
    assert difference["kind"] == kind
    assert CANCELLED in difference["detail"]


@pytest.mark.parametrize("optimisation", ["batching", "threads"])
def test_no_monitor_is_lost_when_an_optimisation_fails(
    quick: Path, tmp_path: Path, optimisation: str
) -> None:
    command = ["python", "../failing.py", optimisation]
    changed(quick, lambda all_: all_["implementations"]["optimized"].update(command=command))
    _, run, error = replay(tmp_path, quick, "--no-scan", "--keep", "kept")
    assert run["equivalence"]["same"] is True, error
    assert run["equivalence"]["optimized"]["handled"] == 1
    (log,) = (tmp_path / "kept").glob("optimized-*/bot.log")
    assert f"{optimisation} failed, going on without it" in log.read_text("utf-8")
