"""How the bot's event loops fare: a heartbeat on each asyncio or uvloop loop, told once a second.

The beat is a timer of the loop itself, due every ``INTERVAL_NS``. How late it comes is the lag
that any other callback would have met; beats that could not even be scheduled meanwhile count with
what they would have waited, so that one long block is not one sample. The same probe serves
asyncio and uvloop, so that two sides on different loops are measured alike.
"""

from __future__ import annotations

import _thread
import gc
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from .config import Config

INTERVAL_NS = 10_000_000
BLOCKED_NS = 5_000_000
"""A beat later than this found the loop blocked; timers alone are up to 2 ms late."""
TELL_NS = 1_000_000_000
STOPPED_TELL_NS = 50_000_000
"""A loop that ends tells at once, unless loops of this thread end many times a second."""
STEPS = 16
"""Buckets per doubling of the lag: a bucket is about 4 % wide."""
FLOOR_NS = 1 << 14
"""Lags below 16 microseconds are one bucket; no timer is so exact."""
_LOWEST = FLOOR_NS.bit_length()


class Vitals:
    """What the loops of one thread have met so far; all of them tell the same file."""

    TOLD = ("beats", "blocked_ns", "gc_ns", "lag_max_ns", "lags", "tasks", "tasks_max")
    __slots__ = (*TOLD, "path", "told_ns")

    def __init__(self, path: str) -> None:
        self.path = path
        self.told_ns = 0
        self.lags: dict[int, int] = {}
        self.lag_max_ns = self.blocked_ns = self.beats = 0
        self.gc_ns = 0
        self.tasks = self.tasks_max = 0

    def note(self, lag_ns: int) -> None:
        """Count a beat that came ``lag_ns`` late, and those that it kept from coming."""
        self.beats += 1
        lags = self.lags
        bucket = bucket_of(lag_ns)
        lags[bucket] = lags.get(bucket, 0) + 1
        if lag_ns > self.lag_max_ns:
            self.lag_max_ns = lag_ns
        if lag_ns < BLOCKED_NS:
            return
        # The block began at an unknown moment before the beat was due: half an interval on average.
        self.blocked_ns += lag_ns + INTERVAL_NS // 2
        while lag_ns > INTERVAL_NS:
            lag_ns -= INTERVAL_NS
            bucket = bucket_of(lag_ns)
            lags[bucket] = lags.get(bucket, 0) + 1

    def tell(self) -> None:
        """Write everything to the file: whoever is killed later has left this."""
        self.told_ns = time.monotonic_ns()
        values = {name: getattr(self, name) for name in self.TOLD}
        partial = self.path + ".part"
        try:
            with open(partial, "w", encoding="ascii") as file:
                file.write(repr(values))  # to import json would take some of the start-up time
            os.replace(partial, self.path)
        except OSError:
            pass  # a full disk or a folder that is gone must not end the bot


def bucket_of(lag_ns: int) -> int:
    """Return the number of the bucket that counts ``lag_ns``; 0 for the shortest."""
    if lag_ns < FLOOR_NS:
        return 0
    doublings = lag_ns.bit_length() - _LOWEST
    fraction = (lag_ns - (FLOOR_NS << doublings)) * STEPS // (FLOOR_NS << doublings)
    return 1 + doublings * STEPS + fraction


def middle_ns(bucket: int) -> float:
    """Return the lag in the middle of a bucket."""
    if bucket == 0:
        return FLOOR_NS / 2
    doublings, fraction = divmod(bucket - 1, STEPS)
    return (FLOOR_NS << doublings) * (1 + (fraction + 0.5) / STEPS)


class Heart:
    """Beats on one loop while that loop runs."""

    __slots__ = ("_due_ns", "_loop", "_timer", "_vitals")

    def __init__(self, loop: Any, vitals: Vitals) -> None:
        self._loop, self._vitals = loop, vitals
        self._due_ns = time.monotonic_ns() + INTERVAL_NS
        self._timer = loop.call_later(INTERVAL_NS / 1e9, self._beat)

    def _beat(self) -> None:
        now_ns = time.monotonic_ns()
        vitals = self._vitals
        vitals.note(max(0, now_ns - self._due_ns))
        if now_ns - vitals.told_ns >= TELL_NS:
            vitals.tasks = self._count_tasks()
            vitals.tell()
            now_ns = time.monotonic_ns()  # telling is not the bot's doing
        self._due_ns = now_ns + INTERVAL_NS
        self._timer = self._loop.call_later(INTERVAL_NS / 1e9, self._beat)

    def _count_tasks(self) -> int:
        tasks = len(sys.modules["asyncio"].all_tasks(self._loop))
        self._vitals.tasks_max = max(self._vitals.tasks_max, tasks)
        return tasks

    def stop(self) -> None:
        """End with the loop: a block that lasts until now counts, too."""
        self._timer.cancel()
        lag_ns = time.monotonic_ns() - self._due_ns
        if lag_ns > BLOCKED_NS:
            self._vitals.note(lag_ns)
        if time.monotonic_ns() - self._vitals.told_ns >= STOPPED_TELL_NS:
            self._count_tasks()
            self._vitals.tell()


class _Ward(_thread._local):
    """Each thread's own Vitals, since loops of different threads run at the same time."""

    vitals: Vitals | None = None
    depth = 0


_ward = _Ward()
_folder = ""


def patch_loop(config: Config, loop_class: Any) -> None:
    """Let loops of ``loop_class`` have a heartbeat while they run."""
    global _folder
    if not config.vitals:
        return
    if not _folder:
        os.register_at_fork(after_in_child=_begin_anew)
        gc.callbacks.append(_GarbageClock())
    _folder = config.vitals
    base = loop_class.run_forever

    def run_forever(self: Any) -> Any:
        if self.is_running() or self.is_closed():
            return base(self)  # its error to raise
        vitals = _ward.vitals
        if vitals is None:
            import atexit

            name = f"{os.getpid()}-{_thread.get_native_id()}.txt"
            vitals = _ward.vitals = Vitals(os.path.join(_folder, name))
            atexit.register(vitals.tell)
        heart = Heart(self, vitals)
        try:
            return base(self)
        finally:
            heart.stop()

    for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(run_forever, attribute, getattr(base, attribute, None))
    loop_class.run_forever = run_forever


def _begin_anew() -> None:
    """Forget in a forked child what its parent met."""
    _ward.__dict__.clear()


class _GarbageClock:
    """Adds up how long collections stop a thread that has a loop."""

    __slots__ = ("_begun_ns",)

    def __init__(self) -> None:
        self._begun_ns = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun_ns = time.monotonic_ns()
        elif _ward.vitals is not None:
            _ward.vitals.gc_ns += time.monotonic_ns() - self._begun_ns


def patch_asyncio(config: Config, base_events: ModuleType) -> None:
    """Watch the loops of asyncio."""
    patch_loop(config, base_events.BaseEventLoop)


def patch_uvloop(config: Config, uvloop: ModuleType) -> None:
    """Watch the loops of uvloop, which share no code with those of asyncio."""
    patch_loop(config, uvloop.Loop)
