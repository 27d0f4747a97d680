from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from perfscan.replay.server import alarm as alarm_module
from perfscan.replay.server.alarm import Alarm
from perfscan.replay.server.serve import new_event_loop

MS = 1_000_000
Loop = Callable[[], asyncio.AbstractEventLoop]


@pytest.fixture(params=["kernel", "loop"])
def timers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "loop":
        monkeypatch.setattr(alarm_module, "_KernelTimer", alarm_module._LoopTimer)


def rung(plan: Callable[[Alarm, list[str]], None], count: int, loop: Loop) -> list[str]:
    """Run ``plan`` and wait until ``count`` names have been noted."""

    async def main() -> list[str]:
        alarm, names = Alarm(asyncio.get_running_loop()), list[str]()
        plan(alarm, names)
        while len(names) < count:
            await asyncio.sleep(0.0005)
        alarm.close()
        return names

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(asyncio.wait_for(main(), 10))


@pytest.mark.usefixtures("timers")
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, new_event_loop])
def test_things_ring_in_the_order_in_which_they_are_due(loop: Loop) -> None:
    def plan(alarm: Alarm, names: list[str]) -> None:
        start = alarm.now()
        due = {"d": 4 * MS, "b": 2 * MS, "a": -1, "e": 4 * MS, "c": 2 * MS + 1}
        for name, after in due.items():

            def ring(name: str = name, due_ns: int = start + after) -> None:
                assert alarm.now() >= due_ns
                names.append(name)

            alarm.at(start + after, ring)
        assert names == []

    assert rung(plan, 5, loop) == ["a", "b", "c", "d", "e"]


@pytest.mark.usefixtures("timers")
def test_what_rings_may_set_the_next_alarm() -> None:
    def plan(alarm: Alarm, names: list[str]) -> None:
        def again() -> None:
            names.append(f"{len(names)}")
            if len(names) < 50:
                alarm.at(alarm.now(), again)

        alarm.at(0, again)

    assert len(rung(plan, 50, asyncio.new_event_loop)) == 50


def test_a_failure_does_not_stop_the_clock() -> None:
    def plan(alarm: Alarm, names: list[str]) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: names.append(str(context["exception"])))

        def fail() -> None:
            raise ValueError("broken")

        alarm.at(0, fail)
        alarm.at(MS, lambda: names.append("next"))

    assert rung(plan, 2, asyncio.new_event_loop) == ["broken", "next"]


def test_a_closed_alarm_is_silent() -> None:
    def plan(alarm: Alarm, names: list[str]) -> None:
        alarm.at(alarm.now() + MS, lambda: names.append("never"))
        alarm.close()
        alarm.close()
        other = Alarm(asyncio.get_running_loop())
        other.at(other.now() + 5 * MS, lambda: names.append("after"))

    assert rung(plan, 1, asyncio.new_event_loop) == ["after"]
