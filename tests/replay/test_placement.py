from __future__ import annotations

import subprocess
import sys

import pytest

from perfscan.replay.placement import Placement, available_cpus, pin, placement


def test_the_server_gets_one_processor_and_the_bot_the_others() -> None:
    assert placement((3, 0, 7), lanes=1) == Placement(server=(0,), bot=(3, 7))


@pytest.mark.parametrize(("cpus", "lanes"), [((0,), 1), ((), 1), ((0, 1, 2), 2)])
def test_nothing_is_pinned_where_that_would_take_processors_away(
    cpus: tuple[int, ...], lanes: int
) -> None:
    assert placement(cpus, lanes) is None


def test_a_started_process_stays_where_it_was_put() -> None:
    cpu = available_cpus()[-1]
    code = "import os, sys; sys.stdin.read(); print(sorted(os.sched_getaffinity(0)))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        pin(process.pid, [cpu])
        out, _ = process.communicate("")
    assert out.strip() == f"[{cpu}]"
    pin(process.pid, [cpu])  # it has ended: nobody's mistake
