"""Scenarios that compare functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from perfscan.errors import InputError
from perfscan.replay.model import ComputeScenario
from perfscan.replay.scenario import read_bench, read_scenario


@pytest.fixture
def scenario(tmp_path: Path) -> dict[str, Any]:
    for name in ("original", "optimized"):
        (tmp_path / name).mkdir()
    (tmp_path / "prices.npy").write_bytes(b"")
    return {
        "schema": "perfscan.scenario/1",
        "kind": "compute",
        "name": "atr",
        "data": "prices.npy",
        "sizes": [100, 1000],
        "implementations": {
            side: {"function": "indicators:atr", "directory": side, "arguments": {"period": 14}}
            for side in ("original", "optimized")
        },
    }


def read(folder: Path, scenario: dict[str, Any]) -> ComputeScenario:
    file = folder / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario, sort_keys=False))
    found = read_bench(file)
    assert isinstance(found, ComputeScenario)
    return found


def test_a_whole_scenario(tmp_path: Path, scenario: dict[str, Any]) -> None:
    found = read(tmp_path, scenario)
    assert found.data == tmp_path / "prices.npy"
    assert found.sizes == (100, 1000)
    assert found.primary == "call_ms.1000"
    assert found.original.directory == tmp_path / "original"
    assert found.original.arguments == {"period": 14}
    assert (found.tolerance, found.title) == (1e-9, "atr")


def test_without_sizes_all_rows_are_one_measurement(
    tmp_path: Path, scenario: dict[str, Any]
) -> None:
    del scenario["sizes"]
    assert read(tmp_path, scenario).primary == "call_ms.all"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "computing"}, "unknown kind 'computing'; did you mean 'compute'?"),
        ({"kind": "service"}, "unknown key 'data'"),
        ({"data": "other.npy"}, "no such file"),
        ({"sizes": [0]}, "whole number from 1"),
        ({"primary": "call_ms.7"}, "unknown metric 'call_ms.7'"),
        ({"targets": {"call_ms": 3}}, "unknown metric 'call_ms'; did you mean"),
        ({"recording": "x"}, "unknown key 'recording'"),
        ({"tolerance": 0}, "expected more than 0"),
        ({"schema": "perfscan.scenario/9"}, "unknown schema"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, scenario: dict[str, Any], change: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, scenario | change)
    assert told in str(caught.value)
    assert "scenario.yaml:" in str(caught.value)


@pytest.mark.parametrize("value", ["2026-01-01", "2026-99-99", "!python/none x", "&a [*a]"])
def test_an_argument_is_a_value_of_json(
    tmp_path: Path, scenario: dict[str, Any], value: str
) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario).replace("period: 14", f"since: {value}", 1))
    with pytest.raises(InputError, match=r"scenario.yaml:\d+"):
        read_bench(file)


@pytest.mark.parametrize("function", ["indicators", "indicators.atr", "a b:c", ":f", "m:"])
def test_a_function_is_named_with_its_module(
    tmp_path: Path, scenario: dict[str, Any], function: str
) -> None:
    scenario["implementations"]["original"]["function"] = function
    with pytest.raises(InputError, match="not a function"):
        read(tmp_path, scenario)


def test_it_is_no_scenario_of_traffic(tmp_path: Path, scenario: dict[str, Any]) -> None:
    read(tmp_path, scenario)
    with pytest.raises(InputError, match="compares functions"):
        read_scenario(tmp_path / "scenario.yaml")
