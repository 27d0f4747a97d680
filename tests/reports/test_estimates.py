from __future__ import annotations

from dataclasses import replace

import pytest

from perfscan.analyzers.model import Analysis, Estimate, Finding
from perfscan.reports.estimates import Timed, dearness, with_estimates
from perfscan.reports.findings_text import render, worst_first

RECORDED = (
    Timed("https://api.rugcheck.xyz/v1/tokens/abc/report", 100.0),
    Timed("https://api.rugcheck.xyz/v1/tokens/def/report", 300.0),
    Timed("https://api.rugcheck.xyz/v1/tokens/def/votes", 9_000.0),
    Timed("https://api.telegram.org/bot1/sendMessage", 50.0),
)


@pytest.fixture
def finding(scan: Analysis) -> Finding:
    return replace(
        scan.findings[1], cost="network", endpoint="https://api.rugcheck.xyz/v1/tokens/*/report"
    )


def estimated(scan: Analysis, *findings: Finding) -> tuple[Finding, ...]:
    return with_estimates(replace(scan, findings=findings), RECORDED).findings


def test_times_come_from_the_recorded_requests_to_that_address(
    scan: Analysis, finding: Finding
) -> None:
    (found,) = estimated(scan, finding)
    assert found.estimate is not None
    assert (found.estimate.basis, found.estimate.requests) == ("recording", 2)
    assert (found.estimate.median_ms, found.estimate.total_ms) == (200.0, 400.0)


@pytest.mark.parametrize(
    ("endpoint", "requests"),
    [
        ("https://api.rugcheck.xyz/*", 3),
        ("https://api.rugcheck.xyz/v1/tokens/def/report?full=1", 1),
        ("https://api.rugcheck.xyz/v1", 0),
        ("http://api.rugcheck.xyz/*", 0),
        ("https://apixrugcheck.xyz/*", 0),
    ],
)
def test_what_matches(endpoint: str, requests: int, scan: Analysis, finding: Finding) -> None:
    (found,) = estimated(scan, replace(finding, endpoint=endpoint))
    assert found.estimate is not None
    assert found.estimate.requests == requests


def test_without_a_match_only_the_kind_is_said(scan: Analysis, finding: Finding) -> None:
    (found,) = with_estimates(replace(scan, findings=(finding,)), ()).findings
    assert found.estimate == Estimate(
        "cost class", "network", assumes="by its kind: a round trip over the network a call"
    )
    (unmatched,) = estimated(scan, replace(finding, endpoint="https://elsewhere/*"))
    assert unmatched.estimate is not None
    assert unmatched.estimate.assumes.startswith("no recorded request matches")


def test_an_unknown_cost_has_no_estimate(scan: Analysis, finding: Finding) -> None:
    (found,) = estimated(scan, replace(finding, cost=""))
    assert found.estimate is None


def test_the_dearest_comes_first(scan: Analysis, finding: Finding) -> None:
    file = replace(finding, cost="file", endpoint="")
    unknown = replace(finding, endpoint="")
    ((first, second, third),) = worst_first(estimated(scan, file, unknown, finding))
    assert [one.cost for one in (first, second, third)] == ["network", "network", "file"]
    assert dearness(first)[0] == 400.0


def test_the_text_says_what_it_assumes(scan: Analysis, finding: Finding) -> None:
    told = render(with_estimates(replace(scan, findings=(finding,)), RECORDED), seconds=0)
    flat = " ".join(told.split())
    assert "costs: 200 ms a call, p95 290 ms, 400 ms in the recording (2 requests to" in flat
    assert "assumes that this call alone makes the recorded requests" in flat


def test_calls_that_share_an_address_share_its_requests(scan: Analysis, finding: Finding) -> None:
    other = replace(finding, path="bot/other.py")
    found = estimated(scan, finding, other)
    assert [one.estimate.assumes.partition(" that ask")[0] for one in found if one.estimate] == [
        "each of the 2 places",
        "each of the 2 places",
    ]
