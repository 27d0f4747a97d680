"""Latencies that a recording lacks are drawn as the scenario says, the same for both sides."""

from __future__ import annotations

import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.latency import with_latency
from perfscan.replay.model import (
    Failure,
    LatencyRule,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.scenario import read_scenario

MS = 1_000_000
SPREAD = LatencyRule("GET https://a.example/v1/*", p50_ms=100, p95_ms=300)
REST = LatencyRule("*", values_ms=(7.5,))


def untimed(number: int = 3) -> Recording:
    events = [Open(1, 0, "https", "a.example", 443)]
    for exchange in range(number):
        at_ns = exchange * MS
        target = f"/v1/{exchange}?page=1" if exchange % 3 else "/other"
        events += [
            Request(exchange, 1, at_ns, "GET", target),
            Response(exchange, 1, at_ns, at_ns + 5, 200),
        ]
    return Recording(RecordingHeader(latency="not recorded"), tuple(events))


def service_ms(recording: Recording) -> list[float]:
    sent = {e.exchange: e.at_ns for e in recording.events if isinstance(e, Request)}
    answers = (e for e in recording.events if isinstance(e, Response))
    return [
        (answer.at_ns - sent[answer.exchange]) / MS
        for answer in sorted(answers, key=lambda answer: answer.exchange)
    ]


def test_the_first_rule_that_fits_decides_and_all_draw_the_same() -> None:
    drawn = with_latency(untimed(300), (SPREAD, REST), seed=3)
    assert drawn.header.latency == "recorded"
    assert drawn == with_latency(untimed(300), (SPREAD, REST), seed=3)
    assert drawn != with_latency(untimed(300), (SPREAD, REST), seed=4)
    times = service_ms(drawn)
    assert set(times[::3]) == {7.5}
    assert len(set(times[1::3])) == 100
    assert all(one.end_ns - one.at_ns == 5 for one in drawn.events if isinstance(one, Response))
    assert [one.at_ns for one in drawn.events] == sorted(one.at_ns for one in drawn.events)


def test_the_distribution_has_the_percentiles_that_were_asked_for() -> None:
    rule = replace(SPREAD, request="*")
    times = sorted(service_ms(with_latency(untimed(4000), (rule,), seed=1)))
    assert statistics.median(times) == pytest.approx(100, rel=0.1)
    assert times[3800] == pytest.approx(300, rel=0.15)


def test_a_list_is_drawn_from_and_a_failure_waits_too() -> None:
    recording = untimed(1)
    broken = replace(
        recording, events=(*recording.events[:2], Failure(1, 0, "reset by peer", exchange=0))
    )
    rule = LatencyRule("*", values_ms=(1.0, 2.0))
    failure = with_latency(broken, (rule,), seed=1).events[-1]
    assert failure.at_ns in (MS, 2 * MS)


def test_a_request_without_latency_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"GET https://a\.example/other") as caught:
        with_latency(untimed(), (SPREAD,), seed=1)
    assert "latency" in str(caught.value.remedy)


def test_recorded_latencies_stay_unless_a_rule_names_them() -> None:
    timed = replace(untimed(), header=RecordingHeader())
    assert with_latency(timed, (), seed=1) is timed
    assert service_ms(with_latency(timed, (replace(REST, request=SPREAD.request),), seed=1)) == [
        0.0,
        7.5,
        7.5,
    ]


SCENARIO = """\
schema: perfscan.scenario/1
name: test
recording: traffic.jsonl
implementations: {original: {command: a}, optimized: {command: b}}
items:
  stimulus: {websocket: wss://a.example/, key: {path: $.id}}
  effect: {request: POST https://a.example/send, key: {path: $.id}}
latency:
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "traffic.jsonl").write_text("")
    return tmp_path / "scenario.yaml"


def test_the_scenario_gives_the_rules(scenario: Path) -> None:
    scenario.write_text(
        SCENARIO + "  GET https://a.example/v1/*: {p50_ms: 100, p95_ms: 300}\n  '*': 7.5\n"
    )
    assert read_scenario(scenario).latency == (SPREAD, REST)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET a.example: 5", "latency.GET a.example: not a request pattern"),
        ("'*': []", "the list is empty"),
        ("'*': -1", "expected milliseconds, found -1"),
        ("'*': [1, -2]", "expected milliseconds, found -2"),
        ("'*': soon", "expected a number"),
        ("'*': {p50_ms: 5}", "'p95_ms' is missing"),
        ("'*': {p50_ms: 0, p95_ms: 5}", "expected more than 0"),
        ("'*': {p50_ms: 5, p95_ms: 4}", "p95_ms is below p50_ms"),
        ("'*': {p50_ms: 5, p99_ms: 9}", "unknown key 'p99_ms'"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line(scenario: Path, line: str, expected: str) -> None:
    scenario.write_text(f"{SCENARIO}  {line}\n")
    with pytest.raises(InputError) as caught:
        read_scenario(scenario)
    assert expected in str(caught.value)
    assert "scenario.yaml:9" in str(caught.value)
