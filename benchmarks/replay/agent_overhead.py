"""What watching the event loops costs the bot, and how well known blocks are found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rows import Row

from perfscan.replay.certificates import Authority
from perfscan.replay.redirection import bot_environment
from perfscan.replay.statistics import median_interval
from perfscan.replay.vitals import read_vitals

TITLE = "The agent's heartbeat: CPU time with and without it (paired), blocks of 50 ms found"
GOAL = 0.02
FOUND_WITHIN = 0.1
BLOCK_MS = 50

# Parses messages, hands them to tasks and gathers their answers, always busy: CPU time is all.
BOT = """
import asyncio, json, sys, time

message = json.dumps({"method": "tick", "params": {"key": "k", "prices": list(range(40))}})

async def handle(queue):
    while (text := await queue.get()) is not None:
        json.loads(text)["params"]["prices"]
        await asyncio.sleep(0)

async def main(rounds):
    queue = asyncio.Queue()
    workers = [asyncio.ensure_future(handle(queue)) for _ in range(20)]
    begin = time.process_time()
    for number in range(rounds):
        queue.put_nowait(message)
        if number % 50 == 0:
            await asyncio.sleep(0)
            while queue.qsize():
                await asyncio.sleep(0)
    for _ in workers:
        queue.put_nowait(None)
    await asyncio.gather(*workers)
    print(time.process_time() - begin)

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main(int(sys.argv[2])))
else:
    asyncio.run(main(int(sys.argv[2])))
"""

BLOCKS = f"""
import asyncio, random, sys, time

async def main(blocks):
    for _ in range(blocks):
        await asyncio.sleep(random.uniform(0.02, 0.05))
        end = time.perf_counter() + {BLOCK_MS / 1000}
        while time.perf_counter() < end:
            pass
    await asyncio.sleep(0.05)
    print(0)

if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main(int(sys.argv[2])))
else:
    asyncio.run(main(int(sys.argv[2])))
"""


def measure(quick: bool) -> Iterator[Row]:
    """Compare the CPU time of the same work with and without the heartbeat."""
    pairs, rounds, blocks = (12, 60_000, 40) if quick else (24, 200_000, 200)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = _Bench(folder, Authority.create(folder / "ca"), max(os.sched_getaffinity(0)))
        for loop in ("asyncio", "uvloop"):
            changes = []
            for pair in range(pairs):
                order = (False, True) if pair % 2 == 0 else (True, False)
                times = {watched: bench.run(BOT, loop, rounds, watched) for watched in order}
                changes.append(times[True] / times[False] - 1)
            found = median_interval(changes)
            figure = f"{found.centre:+.1%} [{found.low:+.1%}, {found.high:+.1%}]"
            yield Row(f"heartbeat on {loop}", figure, f"under {GOAL:.0%}", found.centre < GOAL)
            bench.run(BLOCKS, loop, blocks, watched=True)
            share = read_vitals(bench.vitals)["blocked_ms"] / (blocks * BLOCK_MS)
            holds = abs(share - 1) < FOUND_WITHIN
            yield Row(f"blocked time found on {loop}", f"{share:.1%}", "within 10 %", holds)


@dataclass(frozen=True, slots=True)
class _Bench:
    folder: Path
    authority: Authority
    core: int

    @property
    def vitals(self) -> Path:
        return self.folder / "vitals"

    def run(self, source: str, loop: str, rounds: int, watched: bool) -> float:
        """Run ``source`` in a process of its own and return what it prints."""
        shutil.rmtree(self.vitals, ignore_errors=True)
        self.vitals.mkdir()
        environment = bot_environment(
            {"PATH": os.environ["PATH"]},
            mode="replay",
            ca_bundle=self.authority.ca_file,
            hosts=[],
            ports=None,
            report=self.folder / "escapes.jsonl",
            vitals=self.vitals if watched else None,
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", source, loop, str(rounds)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
        )
        return float(done.stdout)
