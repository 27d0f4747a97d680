from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import xmlschema

from perfscan.analyzers.model import Analysis
from perfscan.reports.junit import render

SCHEMA = Path(__file__).parents[2] / "fixtures" / "schemas" / "junit-10.xsd"


def parsed(analysis: Analysis) -> ET.Element:
    text = render(analysis)
    xmlschema.XMLSchema(SCHEMA).validate(text)
    return ET.fromstring(text)


def test_failures_by_the_schema(scan: Analysis) -> None:
    suites = parsed(scan)
    assert [suite.get("failures") for suite in suites] == ["1", "2", "0"]
    failures = [failure.get("message") for failure in suites.iter("failure")]
    assert failures[1] == "fetch() blocks [the loop](http://x)\n::error::50 % | <b>@you"
    assert failures[2] == r"a \u001b and a \udce9"
    (error,) = suites.iter("error")
    assert error.get("message") == "is not valid Python <3"


def test_a_clean_scan_holds_one_passing_case(clean: Analysis) -> None:
    (case,) = parsed(clean).iter("testcase")
    assert (case.get("name"), len(case)) == ("No findings", 0)
