from __future__ import annotations

import json

import pytest

from perfscan.analyzers.registry import all_rules
from perfscan.cli.main import execute


def test_the_catalogue_names_every_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["rules"]) == 0
    out = capsys.readouterr().out
    for rule in all_rules():
        assert f"{rule.id} " in out
        assert rule.name in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_one_rule_by_id_and_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["rules", "ps101"]) == 0
    by_id = capsys.readouterr().out
    assert execute(["rules", "blocking-network-call"]) == 0
    assert capsys.readouterr().out == by_id
    assert by_id.startswith("PS101 blocking-network-call (critical")
    assert "requests.get" in by_id


def test_json_holds_whole_manuals(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["rules", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "perfscan.rules/1"
    assert [entry["id"] for entry in document["rules"]] == [rule.id for rule in all_rules()]
    texts = [key for key in document["rules"][0] if key != "thresholds"]
    assert all(entry[key] for entry in document["rules"] for key in texts)


def test_markdown_is_a_table_of_one_row_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["rules", "--format", "markdown"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(all_rules())
    assert {line.replace(r"\|", "").count("|") for line in lines} == {6}
    execute(["rules", "PS102", "--format", "markdown"])
    assert capsys.readouterr().out.startswith("# PS102 blocking-sleep\n")


@pytest.mark.parametrize(
    ("wanted", "remedy"),
    [
        ("PS6O1", "did you mean PS601"),
        ("blocking-slep", "did you mean PS102"),
        ("zzz", "see perfscan"),
    ],
)
def test_an_unknown_rule(wanted: str, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["rules", wanted]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"error: there is no rule {wanted}\n  help: {remedy}" in err


def test_a_family_is_a_table_and_limits_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["rules", "PS14"]) == 0
    out = capsys.readouterr().out
    assert "PS1401 " in out
    assert "PS101 " not in out
    execute(["rules", "oversized-module"])
    assert "thresholds: {oversized-module: {lines: 1000}}" in capsys.readouterr().out
