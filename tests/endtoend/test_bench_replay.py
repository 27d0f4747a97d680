"""A before/after replay of a small bot: what it proves, and how it fails."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from endtoend.toy import Perfscan, Toy, heed_interrupts, perfscan_command

pytestmark = pytest.mark.endtoend
BRIEF = ("--pairs", "1", "--no-scan")


def read(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return result


def test_both_sides_do_the_same_work(toy: Toy, perfscan: Perfscan) -> None:
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json", "--report", "r.md")
    run = read(toy.folder / "run.json")
    assert run["schema"] == "perfscan.run/1"
    assert run["equivalence"]["same"] is True
    assert run["equivalence"]["optimized"]["handled"] == 8
    # One pair proves no speed, however large the difference looks.
    assert run["verdict"] == "inconclusive"
    assert done.status == 3, done.err
    title = (toy.folder / "r.md").read_text("utf-8").splitlines()[1]
    assert "inconclusive" in title.lower()
    metrics = {
        side: run["implementations"][side]["runs"][0]["metrics"]
        for side in ("original", "optimized")
    }
    # A pooled client opens one connection for all requests, the other one for each.
    assert metrics["original"]["connections_opened"] == 1 + 2 * 8
    assert metrics["optimized"]["connections_opened"] == 1 + 1
    assert metrics["original"]["upstream_requests"] == metrics["optimized"]["upstream_requests"]


TELLING = """
import http.server, threading

class Stats(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"told": {"items": 8}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

stats = http.server.HTTPServer(("127.0.0.1", 9155), Stats)
threading.Thread(target=stats.serve_forever, daemon=True).start()
"""


def test_what_the_bot_tells_stands_beside_what_is_measured(toy: Toy, perfscan: Perfscan) -> None:
    scenario = yaml.safe_load(toy.scenario.read_text("utf-8"))
    scenario["readings"] = {
        "cache_hit_rate": {"log": "hits ([0-9]+) %", "scale": 0.01, "take": "max"},
        "told": {"url": "http://127.0.0.1:9155/", "path": "$.told.items"},
    }
    toy.scenario.write_text(yaml.safe_dump(scenario), "utf-8")
    toy.change("    alert(key, price)", "    alert(key, price); print(f'hits {key[2:]}0 %')")
    toy.change("\nmain()\n", f"{TELLING}\nmain()\n")
    perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    run = read(toy.folder / "run.json")
    metrics = {
        side: run["implementations"][side]["runs"][0]["metrics"]
        for side in ("original", "optimized")
    }
    assert metrics["optimized"]["cache_hit_rate"] == pytest.approx(0.7)
    assert metrics["optimized"]["told"] == 8
    assert not {"cache_hit_rate", "told"} & metrics["original"].keys()
    # A bot without an event loop has no lag; every bot has memory, threads and descriptors.
    assert "loop_lag_ms.max" not in metrics["optimized"]
    assert metrics["optimized"]["threads_max"] >= 2
    assert metrics["optimized"]["descriptors_max"] > 3
    assert metrics["optimized"]["end_rss_mb"] > 1
    assert metrics["optimized"]["startup_s"] > 0
    assert metrics["original"]["tls_handshakes"] == metrics["original"]["connections_opened"]


ASKING = """
import redis
client = redis.Redis.from_url(os.environ["STORE"])
print("found", client.get("seeded").decode(), client.incr("runs"))
"""


def test_services_begin_every_run_with_their_seed(toy: Toy, perfscan: Perfscan) -> None:
    (toy.folder / "commands.txt").write_text("SET seeded 42\nSET runs 0\n", "utf-8")
    scenario = yaml.safe_load(toy.scenario.read_text("utf-8"))
    for side in scenario["implementations"].values():
        side["services"] = {"redis": {"seed": "commands.txt", "environment": "STORE"}}
    scenario["readings"] = {
        "seeded": {"log": "found ([0-9]+)"},
        "runs": {"log": "found [0-9]+ ([0-9]+)", "take": "max"},
    }
    toy.scenario.write_text(yaml.safe_dump(scenario), "utf-8")
    toy.change("\nmain()\n", f"{ASKING}\nmain()\n")
    perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    [run] = read(toy.folder / "run.json")["implementations"]["optimized"]["runs"]
    assert run["ok"], run["problem"]
    # A warm-up went before this run and left nothing behind.
    assert (run["metrics"]["seeded"], run["metrics"]["runs"]) == (42, 1)


def test_an_unchanged_bot_is_never_called_faster(toy: Toy, perfscan: Perfscan) -> None:
    done = perfscan(
        "bench", "replay", toy.scenario, "--quick", "--lanes", "3", "--no-scan",
        "--after", "original", "-o", "run.json",
    )  # fmt: skip
    run = read(toy.folder / "run.json")
    assert run["verdict"] in ("no change found", "inconclusive")
    assert run["comparison"]["item_latency_ms.p50"]["verdict"] in ("no change", "unclear")
    assert done.status in (0, 3)


def test_a_dropped_alert_is_different_work(toy: Toy, perfscan: Perfscan) -> None:
    toy.change("    alert(key, price)", "    key == 'k03' or alert(key, price)")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json", "--report", "r.md")
    assert done.status == 4, done.err
    run = read(toy.folder / "run.json")
    assert run["verdict"] == "replies differ"
    assert [(d["key"], d["kind"]) for d in run["equivalence"]["differences"]] == [("k03", "missed")]
    title = (toy.folder / "r.md").read_text("utf-8").splitlines()[:3]
    assert any("differ" in line for line in title)
    assert not any("faster" in line or "×" in line for line in title)


def test_an_alert_sent_twice_is_different_work(toy: Toy, perfscan: Perfscan) -> None:
    toy.change("    alert(key, price)", "    alert(key, price); key == 'k07' and alert(key, price)")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    assert done.status == 4, done.err
    differences = read(toy.folder / "run.json")["equivalence"]["differences"]
    assert [(d["key"], d["kind"]) for d in differences] == [("k07", "duplicated")]


def test_a_changed_alert_is_different_work(toy: Toy, perfscan: Perfscan) -> None:
    toy.change('f"{key} costs {price}"', 'f"{key} costs about {price}"')
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    assert done.status == 4, done.err
    differences = read(toy.folder / "run.json")["equivalence"]["differences"]
    assert {d["kind"] for d in differences} == {"wrong"}
    assert len(differences) == 8


def test_a_bot_that_cannot_start_says_why(toy: Toy, perfscan: Perfscan) -> None:
    toy.change("import http.client", "import no_such_library, http.client")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    assert done.status == 3
    assert "no_such_library" in done.err
    assert "Traceback" not in done.err


def test_a_request_outside_the_recording_names_its_neighbour(toy: Toy, perfscan: Perfscan) -> None:
    toy.change('f"/price/{key}")["price"]', 'f"/prices/{key}").get("price")')
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json")
    assert done.status == 3
    assert "/prices/k00" in done.err
    assert "/price/k00" in done.err


def test_a_host_outside_the_recording_is_refused_and_named(toy: Toy, perfscan: Perfscan) -> None:
    attempt = (
        "    try: urllib.request.urlopen('https://metrics.example.org/hit', timeout=2)\n"
        "    except OSError: pass\n"
    )
    toy.change("    alert(key, price)", attempt + "    alert(key, price)")
    perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json", "--report", "r.md")
    assert "metrics.example.org" in (toy.folder / "r.md").read_text("utf-8")


@contextmanager
def started(toy: Toy, *words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        perfscan_command("bench", "replay", toy.scenario, "--no-scan", "-o", "run.json", *words),
        cwd=toy.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def measured(bench: subprocess.Popen[str], word: str) -> psutil.Process:
    """Wait for a process of a measured run with ``word`` in its command.

    None of the warm-up, and not the service from which the others get their data.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and bench.poll() is None:
        for child in psutil.Process(bench.pid).children(recursive=True):
            try:
                words = " ".join([child.cwd(), *child.cmdline()])
            except psutil.Error:
                continue
            of_a_run = re.search(r"/(original|optimized)-\d", words) and "warm-up" not in words
            if word in words and of_a_run and "enter.py" not in words:
                return child
        time.sleep(0.05)
    raise AssertionError(f"no {word} came up: {bench.communicate()}")


def test_a_killed_bot_is_one_line_and_loses_nothing(toy: Toy) -> None:
    with started(toy, "--pairs", "2") as bench:
        measured(bench, "bot.py").kill()
        out, err = bench.communicate(timeout=120)
    assert bench.returncode == 3, (out, err)
    assert "killed by SIGKILL" in out + err
    assert "Traceback" not in err
    runs = read(toy.folder / "run.json")["implementations"]
    problems = sorted(run["problem"] for side in runs.values() for run in side["runs"])
    assert problems[:3] == ["", "", ""], problems
    assert problems[3].startswith("the bot ended by itself (killed by SIGKILL)")


def test_a_stopped_service_is_one_line_and_loses_nothing(toy: Toy) -> None:
    text = toy.scenario.read_text("utf-8")
    changed = text.replace(
        '"directory": "optimized"', '"services": ["redis"], "directory": "optimized"'
    )
    toy.scenario.write_text(changed, "utf-8")
    with started(toy, "--pairs", "1") as bench:
        redis = measured(bench, "redis-server")
        measured(bench, "bot.py")  # it starts once Redis answers
        redis.kill()
        out, err = bench.communicate(timeout=120)
    assert bench.returncode == 3, (out, err)
    assert "service redis stopped (killed by SIGKILL)" in out + err
    assert "Traceback" not in err
    sides = read(toy.folder / "run.json")["implementations"]
    assert [run["ok"] for side in ("original", "optimized") for run in sides[side]["runs"]] == [
        True, False
    ]  # fmt: skip


WITHOUT_NAMESPACES = """
import sys
from perfscan.replay import namespace, network
namespace.unavailable = network.unavailable = lambda: "forbidden for this test"
from perfscan.cli.main import execute
sys.exit(execute(sys.argv[1:]))
"""


def test_without_namespaces_the_hook_guards_and_the_report_says_so(toy: Toy) -> None:
    attempt = (
        "    try: urllib.request.urlopen('http://127.0.0.2:9/hit', timeout=2)\n"
        "    except OSError: pass\n"
        "    try: urllib.request.urlopen('https://metrics.example.org/hit', timeout=2)\n"
        "    except OSError: pass\n"
    )
    toy.change("    alert(key, price)", attempt + "    alert(key, price)")
    words = ("bench", "replay", str(toy.scenario), *BRIEF, "-o", "run.json", "--report", "r.md")
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT_NAMESPACES, *words],
        cwd=toy.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "no network namespace (forbidden for this test)" in done.stderr
    run = read(toy.folder / "run.json")
    assert run["equivalence"]["same"] is True
    assert run["equivalence"]["optimized"]["handled"] == 8
    report = (toy.folder / "r.md").read_text("utf-8")
    assert "NoNamespaceGuard" in report
    assert "metrics.example.org" in report


def test_interrupting_keeps_what_is_finished(toy: Toy) -> None:
    with started(toy, "--pairs", "40") as bench:
        saved = toy.folder / "run.json"
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not (
            saved.exists() and len(read(saved)["implementations"]["original"]["runs"]) >= 1
        ):
            time.sleep(0.1)
        bench.send_signal(signal.SIGINT)
        out, err = bench.communicate(timeout=60)
    assert bench.returncode == 130, (out, err)
    run = read(saved)
    assert run["interrupted"] is True
    assert run["implementations"]["original"]["runs"][0]["ok"] is True
    assert "Traceback" not in err


def test_nothing_is_left_running(toy: Toy) -> None:
    with started(toy, "--pairs", "40") as bench:
        measured(bench, "bot.py")
        family = psutil.Process(bench.pid).children(recursive=True)
        os.kill(bench.pid, signal.SIGINT)
        bench.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda text: text.replace('"items"', '"itmes"'), "did you mean 'items'"),
        (lambda text: text.replace("traffic.jsonl", "missing.jsonl"), "missing.jsonl"),
        (lambda text: text.replace('ry": "original"', 'ry": "orginal"'), "orginal"),
        (lambda text: text[: len(text) // 2], "scenario.yaml:"),
    ],
)
def test_a_bad_scenario_is_one_line(
    toy: Toy, perfscan: Perfscan, break_it: Any, expected: str
) -> None:
    toy.scenario.write_text(break_it(toy.scenario.read_text("utf-8")), "utf-8")
    done = perfscan("bench", "replay", toy.scenario)
    assert done.status == 2
    assert expected in done.err
    assert len(done.err.strip().splitlines()) <= 2  # the error and its remedy
    assert done.out == ""


def test_a_recording_cut_in_half_is_used_as_far_as_it_goes(toy: Toy, perfscan: Perfscan) -> None:
    recording = toy.folder / "traffic.jsonl"
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) // 2])
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "-o", "run.json", "--report", "r.md")
    assert done.status == 3
    assert "traffic.jsonl" in done.err
    assert "cut" in done.err
    assert "Traceback" not in done.err


def test_what_was_kept_before_is_not_mixed_with_new_runs(toy: Toy, perfscan: Perfscan) -> None:
    kept = toy.folder / "kept"
    kept.mkdir()
    (kept / "journal.jsonl").write_text("earlier", "utf-8")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF, "--keep", kept)
    assert done.status == 2
    assert "holds something already" in done.err
    assert (kept / "journal.jsonl").read_text("utf-8") == "earlier"


def test_a_recording_that_is_none_is_one_line(toy: Toy, perfscan: Perfscan) -> None:
    (toy.folder / "traffic.jsonl").write_bytes(b"\0\1\2 not a recording")
    done = perfscan("bench", "replay", toy.scenario, *BRIEF)
    assert done.status == 2
    assert "traffic.jsonl" in done.err
    assert "Traceback" not in done.err
