"""What a request meets by chance."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.replay.faults import read_faults
from perfscan.replay.server.dice import (
    RETRANSMITTED_NS,
    Damage,
    Dice,
    Met,
    lost_ns,
    message_delays,
)

S = 10**9


def dice(*specs: str, seed: int = 1, patience_s: int = 60) -> Dice:
    return Dice(read_faults(specs), seed, patience_s * S)


def test_the_nth_request_for_a_thing_meets_the_same_whatever_else_is_asked() -> None:
    specs = ("loss=30%", "status=503:20%", "jitter=50ms")
    alone, busy = dice(*specs), dice(*specs)
    wanted = [alone.meet("h", "GET /a") for _ in range(50)]
    found = []
    for number in range(50):
        busy.meet("h", f"GET /other/{number}")
        found.append(busy.meet("h", "GET /a"))
    assert found == wanted
    assert len(set(wanted)) > 10, "a repeated request draws anew"


def test_another_seed_draws_otherwise_and_another_fault_does_not_disturb() -> None:
    first = [dice("reset=50%").meet("h", f"{number}").damage for number in range(40)]
    other = [dice("reset=50%", seed=2).meet("h", f"{number}").damage for number in range(40)]
    more = [dice("latency=1s", "reset=50%").meet("h", f"{number}") for number in range(40)]
    assert first != other
    assert [one.damage for one in more] == first


@pytest.mark.parametrize("kind", ["reset", "stall", "malformed", "status"])
def test_shares_are_met(kind: str) -> None:
    spec = f"status=503:{10}%" if kind == "status" else f"{kind}=10%"
    one = dice(spec)
    met = [one.meet("h", f"thing {number}") for number in range(2000)]
    struck = sum(each != Met() for each in met)
    assert 150 < struck < 250


def test_only_the_named_host_is_concerned() -> None:
    one = dice("latency=2s@a.b")
    assert one.meet("a.b", "x") == Met(delay_ns=2 * S)
    assert one.meet("c.d", "x") == Met()


def test_delays_add_up_and_one_ending_is_enough() -> None:
    one = dice("latency=2s", "latency=1s", "status=503", "reset=100%", "slow-body=1kB/s")
    assert one.meet("h", "x") == Met(3 * S, status=503, bytes_per_s=1000)


def test_jitter_lies_between_nothing_and_its_amount() -> None:
    one = dice("jitter=100ms")
    delays = [one.meet("h", "x").delay_ns for _ in range(300)]
    assert 0 <= min(delays) < S // 50
    assert S // 10 - S // 50 < max(delays) <= S // 10


def test_lost_packets_are_sent_again_after_doubling_waits() -> None:
    assert lost_ns(0.6, 0.5) == 0
    assert lost_ns(0.4, 0.5) == RETRANSMITTED_NS
    assert lost_ns(0.2, 0.5) == 3 * RETRANSMITTED_NS
    assert lost_ns(0.1, 0.5) == 7 * RETRANSMITTED_NS
    assert lost_ns(0.5**20.5, 0.5) > 120 * S * 9, "120 s at most between two attempts"


def test_half_of_the_packets_lost_delays_three_quarters_of_the_requests() -> None:
    one = dice("loss=50%")
    delays = Counter(one.meet("h", f"{number}").delay_ns for number in range(4000))
    assert 900 < delays[0] < 1100, "request and answer both arrive at once"
    assert 900 < delays[RETRANSMITTED_NS] < 1100, "one of the two is lost once"


def test_who_would_wait_too_long_hears_nothing() -> None:
    assert dice("loss=100%").meet("h", "x") == Met(damage=Damage("silence"))
    assert dice("latency=2s", patience_s=1).meet("h", "x") == Met(damage=Damage("silence"))


def test_messages_of_a_stream_are_held_up_as_well() -> None:
    faults = read_faults(["loss=40%", "latency=1s", "jitter=10ms@other"])
    delays = message_delays(faults, 1, 60 * S, "wss://a.b/x", range(200))
    again = message_delays(faults, 1, 60 * S, "wss://a.b/x", range(200))
    assert delays is not None
    assert again is not None
    found = list(delays)
    assert found == list(again)
    assert len(found) == 200
    assert {S, S + RETRANSMITTED_NS} <= set(found)
    assert max(found) <= 60 * S


def test_streams_that_nothing_concerns_are_left_alone() -> None:
    faults = read_faults(["loss=40%@other", "reset=5%"])
    assert message_delays(faults, 1, 60 * S, "wss://a.b/x", range(9)) is None


def test_in_a_window_the_same_is_drawn_as_without_and_nothing_outside() -> None:
    always, window = dice("status=429:50%"), dice("status=429:50%@10s-20s")
    seconds = [*range(30)] * 4
    found = [window.meet("h", "x", at * S).status for at in seconds]
    struck = {at for at, status in zip(seconds, found, strict=True) if status}
    assert struck
    assert struck <= set(range(10, 20))
    assert [always.meet("h", "x", at * S).status for at in seconds].count(429) > len(struck)
    assert dice("latency=1s@0-1s").meet("h", "x") == Met(), "nothing is played yet"
    faults = read_faults(["latency=1s@2s-4s"])
    delays = message_delays(faults, 1, 60 * S, "wss://a.b/x", [at * S for at in range(6)])
    assert delays is not None
    assert list(delays) == [0, 0, S, S, 0, 0]


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1))
def test_any_draw_gives_a_delay(draw: float, share: float) -> None:
    assert lost_ns(draw, share) >= 0
    assert lost_ns(draw, 0) == 0
