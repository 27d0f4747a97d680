"""What a bot tells of itself: in its log, at its endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.replay.model import ReadingRule, Take
from perfscan.replay.readings import about_readings, fetching, from_endpoints, from_log

LOG = """
12:00 cycle 1 took 1,200.5 ms, hit rate 40.0 %
12:01 cycle 2 took 800 ms, hit rate 85.5 %
12:02 cycle 3 took n/a ms
"""


@pytest.mark.parametrize(
    ("take", "expected"),
    [("first", 1200.5), ("last", 800), ("sum", 2000.5), ("mean", 1000.25), ("max", 1200.5)],
)
def test_values_of_a_log(take: Take, expected: float) -> None:
    rules = {"cycle_ms": ReadingRule(log=r"took (\S+) ms", take=take)}
    assert from_log(rules, LOG) == {"cycle_ms": expected}


def test_lines_are_counted_whatever_they_say() -> None:
    rules = {"cycles": ReadingRule(log=r"took (\S+) ms", take="count")}
    assert from_log(rules, LOG) == {"cycles": 3}
    assert from_log(rules, "") == {"cycles": 0}


def test_what_is_not_said_is_absent_and_not_zero() -> None:
    rules = {
        "cache_hit_rate": ReadingRule(log=r"hit rate ([0-9.]+) %", scale=0.01),
        "queue": ReadingRule(log=r"queue (\d+)"),
        "elsewhere": ReadingRule(url="http://127.0.0.1/"),
    }
    assert from_log(rules, LOG) == {"cache_hit_rate": pytest.approx(0.855)}


def test_an_endpoint_is_asked_once_for_all_that_it_tells() -> None:
    asked = []

    def fetch(url: str) -> str:
        asked.append(url)
        return '{"cache": {"hits": 30, "rate": "0.75"}, "text": "none"}'

    url = "http://127.0.0.1:9100/stats"
    rules = {
        "hits": ReadingRule(url=url, path="$.cache.hits"),
        "cache_hit_rate": ReadingRule(url=url, path="$.cache.rate"),
        "words": ReadingRule(url=url, path="$.text"),
        "by_pattern": ReadingRule(url=url, pattern=r'"hits": (\d+)', scale=2),
        "in_the_log": ReadingRule(log="(x)"),
    }
    found = from_endpoints(rules, fetch)
    assert found == {"hits": 30, "cache_hit_rate": 0.75, "by_pattern": 60}
    assert asked == [url]


@pytest.mark.parametrize("answer", ["", "no JSON", "[]"])
def test_a_bot_that_does_not_answer_has_no_reading(answer: str) -> None:
    rules = {"hits": ReadingRule(url="http://localhost/", path="$.hits")}
    assert from_endpoints(rules, lambda _: answer) == {}


def test_the_label_says_whose_word_it_is() -> None:
    rules = {"cache_hit_rate": ReadingRule(log="(x)", unit="share", better="higher")}
    about = about_readings(rules)["cache_hit_rate"]
    assert (about.label, about.unit, about.better) == (
        "Cache hits (says the bot)",
        "share",
        "higher",
    )
    assert about.role == "traffic", "no verdict rests on what a bot says of itself"


def test_nobody_there_is_an_empty_answer(tmp_path: Path) -> None:
    fetch = fetching(list)
    assert fetch("http://127.0.0.1:9/") == ""
    file = tmp_path / "answer"
    file.write_text("hits 3")
    assert fetch(file.as_uri()) == "hits 3"
