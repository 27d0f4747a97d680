"""Where one cycle of a bot ends and the next one begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perfscan.replay.exchanges import exchanges
from perfscan.replay.model import (
    CycleEffect,
    CycleStimulus,
    Event,
    Observation,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
    Served,
)
from perfscan.replay.stimuli.cycles import Cycles, CycleStarts, cycle_numbers, cycles_of

MS = 1_000_000
API = "https://api.test"


def asked(*calls: tuple[int, str] | tuple[int, str, int]) -> Recording:
    """Requests of ``(at ms, request, milliseconds until the answer = 10)``; 0 for no answer."""
    events: list[Event] = [Open(1, 0, "https", "api.test", 443)]
    for number, (at, request, *after) in enumerate(calls):
        method, target = request.split(" ")
        events.append(Request(number, 1, at * MS, method, target))
        done_ns = (at + (after[0] if after else 10)) * MS
        if after != [0]:
            events.append(Response(number, 1, done_ns, done_ns, 200))
    return Recording(RecordingHeader(), tuple(sorted(events, key=lambda event: event.at_ns)))


def spans(
    recorded: Recording, begins: CycleStimulus, effect: CycleEffect
) -> list[tuple[int, int | None]]:
    return [
        (one.begun_ns // MS, None if one.ended_ns is None else one.ended_ns // MS)
        for one in cycles_of(recorded, begins, effect)
    ]


LIST = CycleStimulus((f"GET {API}/list",))
ORDER = CycleEffect((f"POST {API}/order",))


def test_a_cycle_begins_after_the_effect_of_the_last_one() -> None:
    recorded = asked(
        (0, "GET /list"), (20, "POST /order"), (40, "POST /order"),
        (100, "GET /list"), (120, "POST /order"),
    )  # fmt: skip

    assert spans(recorded, LIST, ORDER) == [(0, 50), (100, 130)]


def test_asking_again_within_a_cycle_begins_none() -> None:
    recorded = asked((0, "GET /list"), (20, "GET /list"), (40, "POST /order"), (60, "GET /list"))

    assert spans(recorded, LIST, ORDER) == [(0, 50), (60, None)]


def test_any_of_several_requests_may_come_first() -> None:
    begins = CycleStimulus((f"GET {API}/list", f"GET {API}/time"))
    recorded = asked(
        (0, "GET /time"), (1, "GET /list"), (20, "POST /order"),
        (50, "GET /list"), (51, "GET /time"), (70, "POST /order"),
    )  # fmt: skip

    assert spans(recorded, begins, ORDER) == [(0, 30), (50, 80)]


def test_a_pause_parts_cycles_that_ask_for_the_same_many_times() -> None:
    begins = CycleStimulus((f"GET {API}/*",), pause_s=0.1)
    effect = CycleEffect((f"GET {API}/*",))
    recorded = asked(
        (0, "GET /a"), (12, "GET /b"), (24, "GET /c"),
        (200, "GET /b"), (212, "GET /a", 150), (230, "GET /c"), (500, "GET /a"),
    )  # fmt: skip

    assert spans(recorded, begins, effect) == [(0, 34), (200, 362), (500, 510)]


def test_no_pause_while_a_request_is_under_way() -> None:
    begins = CycleStimulus((f"GET {API}/*",), pause_s=0.1)
    recorded = asked((0, "GET /a", 500), (300, "GET /b"))

    assert spans(recorded, begins, CycleEffect((f"GET {API}/*",))) == [(0, 500)]


def test_a_refused_effect_ends_nothing() -> None:
    recorded = asked((0, "GET /list"), (20, "POST /order", 0), (100, "GET /list"))

    assert spans(recorded, LIST, ORDER) == [(0, None)]


@pytest.mark.parametrize(("cycles", "found"), [(None, 3), (2, 2), (9, 3)])
def test_only_so_many_cycles_count(cycles: int | None, found: int) -> None:
    rounds = [
        call
        for number in range(3)
        for call in ((100 * number, "GET /list"), (100 * number + 20, "POST /order"))
    ]
    kind = Cycles(CycleStimulus(LIST.cycle, cycles=cycles), ORDER, 60.0)

    assert [one.key for one in kind.found(asked(*rounds))] == ["1", "2", "3"][:found]


def test_a_cycle_that_a_run_did_not_begin_was_due_at_the_recorded_rate() -> None:
    recorded = asked(
        (0, "GET /list"), (20, "POST /order"), (100, "GET /list"), (120, "POST /order")
    )
    run = Observation(asked((1000, "GET /list"), (1020, "POST /order")).events)
    kind = Cycles(LIST, ORDER, 60.0)

    assert kind.played(recorded, run) == {1: 1000 * MS, 2: 1100 * MS}
    assert set(kind.reached(recorded, run)) == {1, 2}
    cut = Observation(run.events, until_ns=50 * MS)
    assert set(kind.played(recorded, cut)) == {1}


@pytest.mark.parametrize("begins", [LIST, replace(LIST, pause_s=0.1)])
def test_a_server_that_does_not_know_the_ends_yet_tells_the_same(begins: CycleStimulus) -> None:
    recorded = asked(
        *((0, "GET /list", 300), (50, "POST /order", 400), (320, "GET /list")),
        *((600, "GET /list"), (650, "POST /order", 0), (660, "POST /order"), (690, "GET /list")),
        *((800, "GET /list"), (805, "GET /list"), (830, "POST /order"), (1000, "GET /list")),
    )
    calls = exchanges(recorded)
    known = CycleStarts(begins, ORDER)
    expected = [known.add(call) for call in calls]

    live, found = CycleStarts(begins, ORDER), []
    for event in recorded.events:
        call = next((one for one in calls if event in (one.request, one.response)), None)
        if isinstance(event, Request) and call is not None:
            found.append(live.sent(event.method, call.url, event.at_ns))
            if call.response is None:
                live.ended(event.method, call.url, event.at_ns, None)
        elif isinstance(event, Response) and call is not None:
            live.ended(call.request.method, call.url, event.end_ns, event.status)

    assert found == expected
    assert found[-1] == 4


def test_what_was_asked_before_the_first_cycle_has_the_number_0() -> None:
    recorded = asked((0, "GET /time"), (100, "GET /list"), (120, "GET /list"), (900, "GET /list"))
    numbers = cycle_numbers(exchanges(recorded), replace(LIST, pause_s=0.5))

    assert numbers == {0: 0, 1: 1, 2: 1, 3: 2}


@pytest.mark.parametrize("status", [503, None])
def test_what_did_not_begin_is_begun_again(status: int | None) -> None:
    begins = replace(LIST, pause_s=0.1)
    starts = CycleStarts(begins)

    def ask(at: int, status: int | None) -> int:
        number = starts.sent("GET", f"{API}/list", at * MS)
        starts.ended("GET", f"{API}/list", (at + 10) * MS, status)
        return number

    assert [ask(0, status), ask(500, status), ask(1000, 200), ask(1500, 200)] == [1, 1, 1, 2]


def test_a_cycle_in_which_other_things_failed_has_begun() -> None:
    starts = CycleStarts(replace(LIST, pause_s=0.1))
    for at, target, status in ((0, "list", 200), (20, "list", 503), (40, "order", 503)):
        starts.sent("GET", f"{API}/{target}", at * MS)
        starts.ended("GET", f"{API}/{target}", (at + 1) * MS, status)

    assert starts.sent("GET", f"{API}/list", 500 * MS) == 2


def test_a_cycle_of_which_a_fault_took_a_request_goes_on_with_the_next_attempt() -> None:
    begins = CycleStimulus((f"GET {API}/list",), pause_s=0.1)
    run = asked(
        (0, "GET /list"), (20, "GET /order"),  # taken: the bot gives up
        (200, "GET /list"), (220, "GET /order"), (240, "POST /order"),
        (500, "GET /list"), (520, "POST /order"),
    )  # fmt: skip
    undisturbed = Observation(run.events)
    disturbed = Observation((*run.events, Served(1, "fault", None, 0, 0, 0)))

    assert len(cycles_of(undisturbed, begins, ORDER)) == 3
    first, second = cycles_of(disturbed, begins, ORDER)
    assert (first.begun_ns, second.begun_ns) == (0, 500 * MS)
    assert first.ended_ns == 250 * MS


def test_a_request_that_is_asked_again_with_more_luck_holds_up_nothing() -> None:
    begins = CycleStimulus((f"GET {API}/list",), pause_s=0.1)
    run = asked(
        (0, "GET /list"), (20, "POST /order"), (30, "POST /order"),
        (200, "GET /list"), (220, "POST /order"),
    )  # fmt: skip
    refused = Observation((*run.events, Served(1, "refused", None, 0, 0, 0)))

    assert [one.begun_ns // MS for one in cycles_of(refused, begins, ORDER)] == [0, 200]


def test_a_request_that_is_signed_anew_is_known_when_it_is_asked_again() -> None:
    begins = CycleStimulus((f"GET {API}/list",), pause_s=0.1)
    run = asked(
        (0, "GET /list"),
        (20, "GET /open?symbol=BTC&timestamp=1700000000000&signature=a1"),
        (30, "GET /open?symbol=BTC&timestamp=1700000000010&signature=b2"),
        (200, "GET /list"),
        (220, "GET /open?symbol=BTC&timestamp=1700000000200&signature=c3"),
        (230, "GET /open?symbol=ETH&timestamp=1700000000210&signature=d4"),
        (400, "GET /list"),
    )
    taken = [Served(number, "refused", None, 0, 0, 0) for number in (1, 4)]
    refused = Observation((*run.events, *taken))

    begun = [one.begun_ns // MS for one in cycles_of(refused, begins, ORDER)]
    assert begun == [0, 200], "the third attempt goes on with what was taken of the second"


def test_what_was_not_asked_yet_in_a_cycle_belongs_to_it_after_any_pause() -> None:
    begins = CycleStimulus((f"GET {API}/time", f"GET {API}/list"), pause_s=0.1)
    run = asked(
        (0, "GET /time"), (500, "GET /list"), (520, "POST /order"),
        (1000, "GET /list"), (1001, "GET /time"), (1020, "POST /order"),
    )  # fmt: skip

    assert [one.begun_ns // MS for one in cycles_of(run, begins, ORDER)] == [0, 1000]


def test_what_failed_in_the_recording_itself_holds_up_nothing() -> None:
    starts = CycleStarts(CycleStimulus((f"GET {API}/list",), pause_s=0.1), ORDER)
    for begin in (0, 1000):
        starts.sent("GET", f"{API}/list", begin * MS)
        starts.ended("GET", f"{API}/list", (begin + 10) * MS, 200)
        starts.sent("GET", f"{API}/gone", (begin + 20) * MS)
        starts.ended("GET", f"{API}/gone", (begin + 30) * MS, 404)

    assert starts.number == 2


def test_a_cycle_that_always_fails_is_given_up_in_the_end() -> None:
    starts = CycleStarts(replace(LIST, pause_s=0.1), ORDER, deadline_s=3.0)
    found = []
    for at in range(0, 5000, 1000):
        found.append(starts.sent("GET", f"{API}/list", at * MS))
        starts.ended("GET", f"{API}/list", (at + 10) * MS, 200)
        starts.sent("POST", f"{API}/order", (at + 20) * MS)
        starts.ended("POST", f"{API}/order", (at + 30) * MS, 503, taken=True)

    assert found == [1, 1, 1, 2, 2]


def test_a_recording_is_parted_with_the_same_deadline_as_its_runs() -> None:
    recorded = asked((0, "GET /list", 0), (300, "GET /list", 0), (600, "GET /list"))
    kind = Cycles(replace(LIST, pause_s=0.1), ORDER, 0.5)

    assert [one.at_ns // MS for one in kind.found(recorded)] == [0, 600]
    assert set(kind.played(recorded, Observation(recorded.events))) == {1, 2}


@pytest.mark.parametrize("cycles", [None, 1])
def test_what_a_run_did_after_the_recorded_cycles_does_not_count(cycles: int | None) -> None:
    begins = replace(LIST, pause_s=0.1, cycles=cycles)
    recorded = asked((0, "GET /list"), (50, "POST /order"), (500, "GET /list"))
    calls = ((100, "GET /list"), (600, "GET /list"), (650, "POST /order"), (1000, "GET /list"))
    run = Observation(asked(*calls).events)
    kept = Cycles(begins, ORDER, 60.0).owed(recorded, run)

    sent = [event.at_ns // MS for event in kept.events if isinstance(event, Request)]
    assert sent == ([100] if cycles else [100, 600, 650])
    assert Cycles(begins, ORDER, 60.0).owed(recorded, kept) is kept
