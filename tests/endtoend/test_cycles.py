"""Whole replays of bots that go round and round."""

from __future__ import annotations

from typing import Any

import pytest
from endtoend.driving import API, Bench, Traffic, differences, metrics

pytestmark = pytest.mark.endtoend

ROUNDS = """
import requests, signal, sys, time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
session = requests.Session()
number = 0
while True:
    number += 1
    for symbol in ("AAA", "BBB", "CCC"):
        price = session.get(f"https://api.example.test/position?symbol={symbol}").json()["price"]
        session.post("https://api.example.test/order", json={"symbol": symbol, "stop": price})
    time.sleep(0.3)
"""
SYMBOLS = ("AAA", "BBB", "CCC")


def rounds(cycles: int = 4) -> Traffic:
    traffic = Traffic()
    line = traffic.open(0, API)
    at = 100.0
    for number in range(cycles):
        for symbol in SYMBOLS:
            price = number
            traffic.ask(line, at, f"GET /position?symbol={symbol}", answer={"price": price})
            order = {"symbol": symbol, "stop": price}
            traffic.ask(line, at + 15, "POST /order", order, answer={"ok": True})
            at += 30
        at += 300
    return traffic


CYCLE = {
    "stimulus": {"cycle": f"GET https://{API}/position", "pause_s": 0.15},
    "effect": {"request": f"POST https://{API}/order", "compare": ["$.symbol", "$.stop"]},
}


def test_cycles_are_told_apart_and_end_the_run(bench: Bench) -> None:
    bench.write(ROUNDS, rounds(), CYCLE)
    done, run = bench.run()

    assert done.status == 3, (done.out, done.err)
    assert run["equivalence"]["same"] is True, run["equivalence"]["differences"]
    assert run["equivalence"]["optimized"]["handled"] == 4
    # Six requests of 10 ms, one after the other.
    assert 60 <= metrics(run)["item_latency_ms.p50"] < 250


def test_a_cycle_that_does_less_is_different_work(bench: Bench) -> None:
    bench.write(ROUNDS, rounds(), CYCLE)
    bench.change("        session.post", "        (number, symbol) == (2, 'BBB') or session.post")
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert differences(run) == [("2", "wrong")]


# --- Decisions, and answers that go by the cycle --------------------------------------------------

MONITORS = """
import requests, signal, sys, time

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
API = "https://api.example.test"
session = requests.Session()
session.headers["Accept-Encoding"] = "identity"
placed = set()
owed = []


def look(symbol):
    position = session.get(f"{API}/position?symbol={symbol}").json()
    if position["hit"] and position["hit"] not in placed:
        owed.append(position["hit"])
        placed.add(position["hit"])


def decide():
    while owed:
        session.post(f"{API}/order", json={"id": owed[0]}).raise_for_status()
        owed.pop(0)


def go_round():
    session.get(f"{API}/tickers").raise_for_status()
    for symbol in ("AAA", "BBB", "CCC"):
        for strategy in ("fast", "slow"):
            look(symbol)
    decide()


while True:
    try:
        go_round()
    except requests.RequestException:
        pass  # the next round may fare better
    time.sleep(0.4)
"""
HITS = {1: {"AAA": "a1"}, 2: {"AAA": "a1", "BBB": "b2", "CCC": "c2"}, 3: {"BBB": "b3"}}
POSITION = f"GET https://{API}/position"
ORDER = f"POST https://{API}/order"
LIFELIKE: dict[str, Any] = {
    "primary": "item_latency_ms.mean",
    "match": {"modes": {POSITION: "by-cycle"}},
    "counts": {"positions": POSITION},
    "latencies": {"position_ms": POSITION},
    "critical_path": [[f"GET https://{API}/tickers"], [POSITION], [ORDER]],
    "compresses": f"GET https://{API}/tickers",
}
WATCHING = {
    "deadline_s": 8,
    "stimulus": {"cycle": f"GET https://{API}/tickers", "pause_s": 0.2},
    "effect": {"request": [f"GET https://{API}/*"], "compare": ["$.id"], "compare_in": ORDER},
}


def monitored() -> Traffic:
    """Three cycles in which six monitors ask about three symbols."""
    traffic = Traffic()
    line = traffic.open(0, API)
    at = 100.0
    for hits in HITS.values():
        traffic.ask(line, at, "GET /tickers", answer=[{"symbol": "AAA", "price": 1}] * 50)
        at += 15
        for symbol in SYMBOLS:
            for _ in ("fast", "slow"):
                answer = {"hit": hits.get(symbol)}
                traffic.ask(line, at, f"GET /position?symbol={symbol}", answer=answer)
                at += 15
        for name in hits.values():
            if name != "a1" or hits is HITS[1]:
                traffic.ask(line, at, "POST /order", {"id": name}, answer={})
                at += 15
        at += 400
    return traffic


def test_a_bot_that_asks_for_less_decides_the_same_in_each_cycle(bench: Bench) -> None:
    bench.write(MONITORS, monitored(), WATCHING, **LIFELIKE)
    bench.change('("fast", "slow")', '("both",)')
    bench.change('"identity"', '"gzip"')
    done, run = bench.run()

    assert done.status == 3, (done.out, done.err)
    assert run["equivalence"]["same"] is True, run["equivalence"]["differences"]
    assert run["equivalence"]["optimized"]["handled"] == 3
    before, after = metrics(run, "original"), metrics(run)
    assert (before["positions"], after["positions"]) == (18, 9)
    assert 0 < after["position_ms.p50"] < 1000
    assert after["ready_s"] >= after["startup_s"] > 0
    assert 0 < after["baseline_rss_mb"] <= after["peak_rss_mb"]
    assert after["connections_open_max"] == 1
    tickers = 50 * len('{"symbol": "AAA", "price": 1}, ')
    assert before["wire_bytes_in"] - after["wire_bytes_in"] > 3 * tickers * 0.8
    assert run["comparison"]["item_latency_ms.mean"]["floor"] == pytest.approx(30), (
        "three stages of 10 ms in each cycle"
    )


def test_in_another_order_of_answers_it_would_lag_behind(bench: Bench) -> None:
    bench.write(MONITORS, monitored(), WATCHING, **{**LIFELIKE, "match": {}})
    bench.change('("fast", "slow")', '("both",)')
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert ("2", "missed") in differences(run)


def test_a_decision_of_the_cycle_before_is_late(bench: Bench) -> None:
    bench.write(MONITORS, monitored(), WATCHING, **LIFELIKE)
    bench.change("    while owed:", "    while owed and owed[0] != 'c2' or 'b3' in owed:")
    done, run = bench.run()

    assert done.status == 4, (done.out, done.err)
    assert differences(run) == [("2", "missed")]
    assert "in a later cycle" in run["equivalence"]["differences"][0]["detail"]


def test_a_round_that_an_outage_ended_is_made_again_in_the_same_world(bench: Bench) -> None:
    outage = f"outage={API}:0.55s-1s"
    bench.write(MONITORS, monitored(), WATCHING, **LIFELIKE, faults=[outage])
    done, run = bench.run()

    assert run["equivalence"]["same"] is True, (done.out, run["equivalence"]["differences"])
    work = run["equivalence"]["optimized"]
    assert (work["wrong"], work["duplicated"]) == (0, 0), (done.out, done.err)
    assert work["handled"] >= 2, (done.out, done.err)  # where the outage falls is up to the machine
    assert metrics(run)["requests_failed_by_fault"] > 0
