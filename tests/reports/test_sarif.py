from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema

from perfscan.analyzers.model import Analysis
from perfscan.analyzers.registry import all_rules
from perfscan.reports.sarif import render

SCHEMA = Path(__file__).parents[2] / "fixtures" / "schemas" / "sarif-2.1.0.json"
CARDS = [rule.card for rule in all_rules()]


def log(analysis: Analysis, prefix: str = "") -> dict[str, Any]:
    document = json.loads(render(analysis, version="1.2.3", rules=CARDS, prefix=prefix))
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(document)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def test_results_by_the_schema(scan: Analysis) -> None:
    low, critical, several = log(scan)["results"]
    assert [one["level"] for one in (low, critical, several)] == ["note", "error", "warning"]
    (location,) = critical["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "bot/price%2C%20%C3%BC.py"},
        "region": {"startLine": 2, "startColumn": 5, "endColumn": 12},
    }
    assert "endColumn" not in several["locations"][0]["physicalLocation"]["region"]
    assert critical["partialFingerprints"]["primaryLocationLineHash"].endswith(":1")


def test_the_path_to_the_call_is_linked_and_texts_of_others_are_not(scan: Analysis) -> None:
    critical = log(scan)["results"][1]
    text = critical["message"]["text"]
    assert r"blocks \[the loop\](http://x)" in text
    assert text.endswith("Reached by: [on_price](1) [fetch](2).")
    assert [one["id"] for one in critical["relatedLocations"]] == [1, 2]
    (flow,) = critical["codeFlows"][0]["threadFlows"]
    assert len(flow["locations"]) == 2


def test_places_count_from_the_top_of_the_repository(scan: Analysis) -> None:
    run = log(scan, prefix="services/bot/")
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "services/bot/bot/api.py"
    assert run["automationDetails"]["id"] == "perfscan/services/bot/"


def test_a_clean_scan_closes_old_alerts(clean: Analysis) -> None:
    assert log(clean)["results"] == []


def test_every_rule_is_described_within_githubs_limits(clean: Analysis) -> None:
    rules = log(clean)["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [card.id for card in CARDS]
    for rule in rules:
        for text in (rule["shortDescription"]["text"], rule["fullDescription"]["text"]):
            assert 0 < len(text) <= 1024
        assert rule["properties"]["problem.severity"] in {"error", "warning", "recommendation"}


def test_without_the_source_there_is_no_line_hash(scan: Analysis) -> None:
    bare = log(replace(scan, sources={}))["results"][0]
    assert set(bare["partialFingerprints"]) == {"perfscan/v1"}
