"""When a run is over, for every kind of item."""

from __future__ import annotations

import pytest

from perfscan.replay.ending import Progress, is_over, never_began, progress
from perfscan.replay.model import (
    AnswerEffect,
    ClientStimulus,
    CycleEffect,
    CycleStimulus,
    EffectRule,
    InboundStimulus,
    ItemRules,
    KeyRule,
    MessageEffect,
    PushStimulus,
    RequestEffect,
    StimulusRule,
    UpdateStimulus,
)

KEY = KeyRule("$.id")
REQUEST = RequestEffect(("POST https://h/x",), KEY)
SERVER = {
    "stimuli_left": 3,
    "streams_started": 1,
    "cycles": 2,
    "in_flight": 1,
    "idle_s": 0.4,
    "effects": 5,
}
DRIVER = {"started": 1, "unsent": 7, "unanswered": 2, "answered": 4, "idle_s": 0.1}


def seen(
    stimulus: StimulusRule,
    effect: EffectRule = REQUEST,
    server: dict[str, float] = SERVER,
    driver: dict[str, float] = DRIVER,
) -> Progress | None:
    return progress(ItemRules(stimulus, effect), 6, server, driver)


@pytest.mark.parametrize(
    ("stimulus", "effect", "expected"),
    [
        (PushStimulus("wss://h/", KEY), REQUEST, Progress(True, 3, 5, 3, 0.1)),
        (UpdateStimulus("GET https://h/"), REQUEST, Progress(True, 3, 5, 3, 0.1)),
        (PushStimulus("wss://h/", KEY), MessageEffect("/ws", KEY), Progress(True, 3, 0, 3, 0.1)),
        (InboundStimulus("GET /"), REQUEST, Progress(True, 7, 5, 3, 0.1)),
        (InboundStimulus("GET /"), AnswerEffect(), Progress(True, 7, 4, 3, 0.1)),
        (ClientStimulus("/ws", KEY), MessageEffect("/ws", KEY), Progress(True, 7, 0, 3, 0.1)),
        (CycleStimulus(("GET https://h/",)), CycleEffect(("GET https://h/",)),
         Progress(True, 4, 0, 3, 0.1)),
    ],
)  # fmt: skip
def test_each_kind_is_read_from_who_knows(
    stimulus: StimulusRule, effect: EffectRule, expected: Progress
) -> None:
    assert seen(stimulus, effect) == expected


CYCLE = ItemRules(CycleStimulus(("GET https://h/",), pause_s=3.0), CycleEffect(("GET https://h/",)))


@pytest.mark.parametrize(
    ("cycles", "idle_s", "disturbed", "over"),
    [
        (5, 9.0, False, False),
        (6, 4.9, False, False),
        (6, 5.0, False, True),
        (7, 0.0, False, True),
        (6, 3.0, True, False),
        (6, 5.0, True, True),
        (7, 0.0, True, False),
        (7, 5.0, True, True),
        (8, 0.0, True, True),
    ],
)
def test_a_cycle_may_be_silent_and_where_faults_hit_one_more_is_waited_for(
    cycles: int, idle_s: float, disturbed: bool, over: bool
) -> None:
    server = {**SERVER, "cycles": cycles, "idle_s": idle_s, "in_flight": 0}
    now = progress(CYCLE, 6, server, {}, disturbed=disturbed)

    assert now is not None
    assert is_over(now, 6, 5.0, 0.0, 65.0) is over
    assert not is_over(now, 6, 2.0, 0.0, 65.0) or idle_s >= 3.0 or cycles > 6, (
        "shorter than a pause"
    )


def test_nothing_is_known_before_the_first_status() -> None:
    assert seen(PushStimulus("wss://h/", KEY), server={}) is None
    assert seen(InboundStimulus("GET /"), driver={}) is None
    alone = seen(PushStimulus("wss://h/", KEY), driver={})
    assert alone == Progress(True, 3, 5, 1, 0.4)


DONE = Progress(begun=True, left=0, effects=6, in_flight=0, idle_s=1.0)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (DONE, True),
        (Progress(False, 0, 6, 0, 9), False),
        (Progress(True, 1, 6, 0, 9), False),
        (Progress(True, 0, 6, 1, 9), False),
        (Progress(True, 0, 6, 0, 0.9), False),
        (Progress(True, 0, 5, 0, 4.9), False),
        (Progress(True, 0, 5, 0, 5.0), True),
        (Progress(True, -1, 0, 3, 0), True),
    ],
)
def test_a_run_is_over_when_nothing_more_can_come(now: Progress, over: bool) -> None:
    assert is_over(now, 6, 5.0, 0.0, 65.0) is over


def test_a_bot_that_is_never_silent_is_not_waited_for_for_ever() -> None:
    restless = Progress(True, 0, 5, 2, 0.0)

    assert not is_over(restless, 6, 5.0, 64.0, 65.0)
    assert is_over(restless, 6, 5.0, 65.0, 65.0)
    assert not is_over(Progress(True, 1, 5, 2, 0.0), 6, 5.0, 65.0, 65.0)


@pytest.mark.parametrize(
    ("stimulus", "effect", "said"),
    [
        (PushStimulus("wss://h/", KEY), REQUEST, "did not subscribe to the recorded stream"),
        (UpdateStimulus("GET https://h/u"), REQUEST, "did not ask for updates (GET https://h/u)"),
        (InboundStimulus("GET /"), REQUEST, "did not accept a connection from its users"),
        (CycleStimulus(("GET https://h/",)), CycleEffect(("GET https://h/",)),
         "began no cycle (GET https://h/)"),
    ],
)  # fmt: skip
def test_a_bot_that_never_begins_is_told_so(
    stimulus: StimulusRule, effect: EffectRule, said: str
) -> None:
    rules = ItemRules(stimulus, effect)

    assert never_began(None, rules, 30.5) == f"the bot {said} within 30 s"
    assert never_began(None, rules, 29.5) == ""
    assert never_began(DONE, rules, 99) == ""
