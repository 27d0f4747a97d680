from __future__ import annotations

import pytest

from perfscan.replay.catalogue import METRICS, describe

UNITS = {
    "_ms": "ms",
    "_s": "s",
    "_mb": "MB",
    "_per_s": "items/s",
    "_rate": "share",
    "_mb_per_min": "MB",
}
SAMPLED = ("_max", "_end")


@pytest.mark.parametrize("name", METRICS)
def test_the_unit_is_in_the_name(name: str) -> None:
    stem = name.partition(".")[0]
    ending = max((end for end in UNITS if stem.endswith(end)), key=len, default="")
    expected = UNITS.get(ending, "bytes" if "bytes" in stem else "count")

    assert METRICS[name].unit == expected
    exact = expected in ("count", "bytes") and not stem.endswith(SAMPLED)
    assert METRICS[name].counted is exact


def test_every_metric_has_a_label_of_its_own() -> None:
    labels = [metric.label for metric in METRICS.values()]

    assert len(set(labels)) == len(labels)
    assert max(map(len, labels)) <= 32, "it must fit into a table of 80 columns"


def test_what_is_not_known_is_a_count_of_the_scenario() -> None:
    own = describe("rugcheck_requests")

    assert (own.label, own.unit, own.counted) == ("Rugcheck requests", "count", True)
    assert own.role == "traffic", "own counts explain a verdict, they do not make it"


def test_a_latency_of_the_scenario_has_its_unit() -> None:
    own = describe("desk_api_ms.p95")

    assert (own.label, own.unit, own.role) == ("Desk api latency p95", "ms", "traffic")
    assert not own.counted
    assert describe("desk_api_ms.max").unit == "count", "no such part is measured"
