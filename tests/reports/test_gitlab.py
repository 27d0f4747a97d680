from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from perfscan.analyzers.model import Analysis
from perfscan.reports.gitlab import render

SCHEMA = Path(__file__).parents[2] / "fixtures" / "schemas" / "gitlab-code-quality-entry.json"


def test_entries_by_the_schema_of_gitlab(scan: Analysis) -> None:
    entries = json.loads(render(scan, prefix="bots/"))
    for entry in entries:
        jsonschema.validate(entry, json.loads(SCHEMA.read_text("utf-8")))
    assert entries[1]["location"] == {"path": "bots/bot/price, ü.py", "lines": {"begin": 2}}
    assert [entry["severity"] for entry in entries] == ["info", "critical", "minor"]
    assert entries[1]["description"].startswith("PS104 blocking-via-helper: fetch()")
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


def test_a_clean_scan_is_an_empty_list(clean: Analysis) -> None:
    assert json.loads(render(clean)) == []
