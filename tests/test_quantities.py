from __future__ import annotations

import pytest

from perfscan.quantities import (
    change,
    change_interval,
    change_range,
    factor,
    figures,
    percent,
    quantity,
    ratio,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1284, "0.128"),
        (61.04, "61.0"),
        (1843.0, "1,840"),
        (0.9996, "1.00"),
        (999.6, "1,000"),
        (0.0, "0"),
        (-0.1284, "-0.128"),
        (1e-05, "0.0000100"),
        (123456789.0, "123,000,000"),
        (float("nan"), "—"),
        (9.996, "10.0"),
    ],
)
def test_three_significant_figures_without_exponent(value: float, text: str) -> None:
    assert figures(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (238.2, "ms", "238 ms"),
        (999.6, "ms", "1.00 s"),
        (4123.0, "ms", "4.12 s"),
        (184.3, "MB", "184 MB"),
        (18922.0, "count", "18,922"),
        (2.5, "count", "2.5"),
        (0.384, "share", "38.4 %"),
        (9.123, "items/s", "9.12/s"),
        (1536.0, "bytes", "1.54 kB"),
        (12.0, "bytes", "12 B"),
        (999600.0, "bytes", "1.00 MB"),
        (None, "ms", "—"),
    ],
)
def test_units_that_read_well(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_percent_drops_empty_decimals() -> None:
    assert [percent(share) for share in (1.0, 0.5, 0.0, 0.1234)] == [
        "100 %",
        "50 %",
        "0 %",
        "12.3 %",
    ]


def test_changes_in_words() -> None:
    assert (ratio(0.1284), ratio(None)) == ("0.128", "—")
    assert [factor(value) for value in (7.812, 23.4, 123.4)] == ["7.8x", "23x", "123x"]
    assert change(0.128) == "7.8x less"
    assert change(1.09) == "9.0 % more"
    assert change(0.97) == "3.0 % less"
    assert change(0.0) == "100 % less"
    assert change_interval(0.109, 0.151) == "6.6x to 9.2x"
    assert change_interval(1.07, 1.11) == "7.0 % to 11 %"
    assert change_range(0.5, 0.7) == "30 % to 50 % less"
    assert change_range(5, 10) == "5.0x to 10x more"
    assert change_range(0.2, 0.2) == "5.0x less"
    assert change_range(0.9, 1.2) == "10 % less to 20 % more"
    assert change(1.0) == "equal"
    assert change_interval(1.0, 1.2) == "equal to 20 % more"
    assert change_interval(0.5, 0.7) == "30 % to 50 %"
    assert change_interval(1.3, 2.0) == "30 % to 100 %"
    assert change_interval(0.1, 0.7) == "30 % to 10x"
    assert change_interval(0.96, 1.02) == "4.0 % less to 2.0 % more"
