"""How faults are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.errors import InputError
from perfscan.replay.faults import read_faults
from perfscan.replay.model import Emulated, Fault

S = 10**9


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("loss=50%", Fault("loss", "loss=50%", share=0.5)),
        ("latency=2s", Fault("latency", "latency=2s", time_ns=2 * S)),
        ("jitter=100ms", Fault("jitter", "jitter=100ms", time_ns=S // 10)),
        ("reset=1%@api.B.c", Fault("reset", "reset=1%@api.B.c", "api.b.c", 0.01)),
        ("status=503:5%", Fault("status", "status=503:5%", share=0.05, status=503)),
        ("status=429", Fault("status", "status=429", status=429)),
        ("slow-body=10kB/s", Fault("slow-body", "slow-body=10kB/s", bytes_per_s=10_000)),
        ("slow-body=1B/s:5%", Fault("slow-body", "slow-body=1B/s:5%", share=0.05, bytes_per_s=1)),
        ("stall=1%", Fault("stall", "stall=1%", share=0.01)),
        ("malformed=1%", Fault("malformed", "malformed=1%", share=0.01)),
        ("ws-drop=every:30s", Fault("ws-drop", "ws-drop=every:30s", time_ns=30 * S)),
        (
            "outage=api.example.com:10s-20s",
            Fault(
                *("outage", "outage=api.example.com:10s-20s", "api.example.com"),
                window_ns=(10 * S, 20 * S),
            ),
        ),
        (
            "outage=api.example.com:8443:0-500ms",
            Fault(
                *("outage", "outage=api.example.com:8443:0-500ms", "api.example.com:8443"),
                window_ns=(0, S // 2),
            ),
        ),
        (
            "status=429:80%@a.b:10s-40s",
            Fault(
                *("status", "status=429:80%@a.b:10s-40s", "a.b", 0.8),
                status=429,
                window_ns=(10 * S, 40 * S),
            ),
        ),
        (
            "latency=2s@500ms-1m",
            Fault("latency", "latency=2s@500ms-1m", time_ns=2 * S, window_ns=(S // 2, 60 * S)),
        ),
        (
            "stall=1%@a.b:8443:0-1.5s",
            Fault(
                *("stall", "stall=1%@a.b:8443:0-1.5s", "a.b:8443", 0.01),
                window_ns=(0, 3 * S // 2),
            ),
        ),
    ],
)  # fmt: skip
def test_every_fault_can_be_written(spec: str, fault: Fault) -> None:
    assert read_faults([spec]) == (fault,)


def test_several_at_once() -> None:
    assert [fault.spec for fault in read_faults(["loss=5%, latency=1s", "stall=1%"])] == [
        *("loss=5%", "latency=1s", "stall=1%")
    ]


def test_a_fault_that_is_asked_for_twice_is_one() -> None:
    scenario = Emulated(faults=read_faults(["loss=5%"]))
    more = scenario.with_faults(read_faults(["stall=1%", "loss=5%"]))
    assert [fault.spec for fault in more.faults] == ["loss=5%", "stall=1%"]
    assert more
    assert not Emulated()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("los=5%", "unknown fault 'los'; did you mean 'loss'?"),
        ("quake=5%", "known are loss, latency"),
        ("", "unknown fault ''"),
        ("loss", "expected a share"),
        ("loss=", "expected a share"),
        ("loss=50", "did you mean '50%'"),
        ("latency=2", "the unit is missing"),
        ("status=503:", "expected a share"),
        ("status=200:5%", "not a status that a failing service gives"),
        ("ws-drop=30s", "such as every:30s"),
        ("ws-drop=every:0s", "such as every:30s"),
        ("outage=10s-20s", "expected host and times"),
        ("outage=a.b:20s-10s", "ends before it begins"),
        ("outage=a.b:1s-2s@c.d", "names its host before"),
        ("reset=1%@", "not a host"),
        ("reset=1%@a.b:20s-10s", "ends before it begins: 20s-10s"),
        ("reset=1%@:1s-2s", "not a host: ''"),
        ("reset=1%@a.b:1-2s", "the unit is missing"),
        ("reset=1%@a.b:1s-2d", "unknown unit 'd'"),
        ("reset=1%@http://a.b/", "not a host"),
    ],
)
def test_mistakes_are_one_line(spec: str, says: str) -> None:
    with pytest.raises(InputError) as raised:
        read_faults([spec])
    assert says in raised.value.what
    assert raised.value.where == "--fault"
    assert "\n" not in str(raised.value)


NAMES = ["loss", "latency", "status", "slow-body", "ws-drop", "outage", "reset"]
WORDS = st.sampled_from(
    ["5%", "2s", "503", ":", "@", "every", "a.b", "-", "=", "10kB/s", " ", "10s", "@a.b:2s-10s"]
)


@given(st.sampled_from(NAMES), st.lists(WORDS, max_size=6) | st.text(max_size=9).map(list))
def test_any_text_is_read_or_refused_in_one_line(name: str, words: list[str]) -> None:
    spec = f"{name}={''.join(words)}"
    try:
        faults = read_faults([spec])
    except InputError:
        return
    for fault in faults:
        assert 0 <= fault.share <= 1
        assert read_faults([fault.spec]) == (fault,), "a spec says all of a fault"


def test_a_fault_without_a_window_is_always_on() -> None:
    always, later = read_faults(["loss=5%", "loss=5%@10s-20s"])
    times = (None, 0, 10 * S, 20 * S - 1, 20 * S)
    assert [always.is_on(at) for at in times] == [True] * 5
    assert [later.is_on(at) for at in times] == [False, False, True, True, False]
