"""Amounts as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.replay.amounts import read_duration, read_frequency, read_share, read_speed


@pytest.mark.parametrize(
    ("text", "ns"),
    [("2s", 2 * 10**9), ("100ms", 10**8), ("1m", 60 * 10**9), ("1.5 h", 5400 * 10**9), ("0", 0)],
)
def test_a_time(text: str, ns: int) -> None:
    assert read_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "share"), [("50%", 0.5), ("0.05", 0.05), ("100%", 1.0), ("1", 1.0), (".5 %", 0.005)]
)
def test_a_share(text: str, share: float) -> None:
    assert read_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "speed"), [("10kB/s", 10_000), ("512B/s", 512), ("1MiB/s", 1_048_576)]
)
def test_a_speed(text: str, speed: float) -> None:
    assert read_speed(text) == speed


@pytest.mark.parametrize(
    ("text", "amount", "seconds"), [("1200/1m", 1200, 60), ("30/s", 30, 1), ("50/10s", 50, 10)]
)
def test_a_frequency(text: str, amount: float, seconds: int) -> None:
    assert read_frequency(text) == (amount, seconds * 10**9)


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (read_duration, "2", "the unit is missing"),
        (read_duration, "2sec", "unknown unit 'sec'"),
        (read_duration, "9999999h", "too long"),
        (read_duration, "-1s", "expected a time"),
        (read_share, "50", "did you mean '50%'"),
        (read_share, "101%", "above 100%"),
        (read_share, "5s", "not a share"),
        (read_speed, "10kB", "write B/s"),
        (read_speed, "10kb/s", "write B/s"),
        (read_speed, "0B/s", "is nothing"),
        (read_frequency, "1200", "write 1200/1m"),
        (read_frequency, "0/1m", "allows nothing"),
        (read_frequency, "5/0s", "allows nothing"),
    ],
)
def test_what_is_no_amount_is_told(read: object, text: str, says: str) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match=says):
        read(text)


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    for read in (read_duration, read_share, read_speed, read_frequency):
        with contextlib.suppress(ValueError):
            assert read(text) is not None
