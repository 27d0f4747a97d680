"""Connections by number are told apart by the port from which they come."""

from __future__ import annotations

import json
from pathlib import Path

from perfscan.replay.recorder.addresses import Addresses


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_an_address_is_given_once_to_the_connection_that_it_was_meant_for(tmp_path: Path) -> None:
    report = tmp_path / "addresses.jsonl"
    addresses = Addresses(report)
    assert addresses.of(5000) == ""
    line = json.dumps({"from": 5000, "host": "192.0.2.7", "port": 443})
    append(report, line[:10])
    assert addresses.of(5000) == ""
    append(report, line[10:] + "\n")
    assert addresses.of(4999) == ""
    assert addresses.of(5000) == "192.0.2.7"
    assert addresses.of(5000) == ""


def test_what_could_not_be_led_past_the_recorder_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "addresses.jsonl"
    entry = json.dumps({"from": 0, "host": "2001:db8::1", "port": 443})
    append(report, f"{entry}\n{entry}\n")
    addresses = Addresses(report)
    addresses.update()
    assert addresses.missed == {"2001:db8::1:443": 2}
