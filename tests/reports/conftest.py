"""An invented bench of the pool alert bot (six pairs of twelve items), and an invented scan."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfscan.analyzers.model import (
    Analysis,
    Confidence,
    FileError,
    Finding,
    Severity,
    Span,
    TraceStep,
)
from perfscan.replay.compare import compare
from perfscan.replay.doubts import Circumstances
from perfscan.replay.model import (
    Claim,
    Implementation,
    Item,
    ItemRules,
    KeyRule,
    PushStimulus,
    RequestEffect,
    Result,
    Run,
    Scenario,
    ServiceRule,
    Side,
)
from perfscan.replay.result import describe_scenario

SCENARIO = Scenario(
    name="pool_alerts",
    title="Solana new-pool alerts (invented figures)",
    path=Path("pool_alerts/scenario.yaml"),
    recording=Path("traffic.jsonl.gz"),
    original=Implementation("original", ("python", "bot.py"), Path("original")),
    optimized=Implementation(
        *("optimized", ("python", "-m", "bot"), Path("optimized")), services=(ServiceRule("redis"),)
    ),
    items=ItemRules(
        PushStimulus("wss://mainnet.helius-rpc.com/", KeyRule("$.params.result.value.signature")),
        RequestEffect(
            ("POST https://api.telegram.org/*/sendMessage",), KeyRule("$.text", r"tx/(\w+)")
        ),
    ),
    targets={"item_latency_ms.p95": 1000.0, "peak_rss_mb": 64.0, "success_rate": 0.95},
    counts={"rugcheck_requests": ("GET https://api.rugcheck.xyz/v1/tokens/*/report",)},
    claims=(
        Claim(
            "Pool Processing Time 3-5 seconds | 0.5-1 second, 5x faster",
            "Performance Targets, row 1",
            *("item_latency_ms.p50", (3000.0, 5000.0), (500.0, 1000.0), (0.2, 0.2)),
        ),
        Claim(
            "Concurrent Pools 1 | 5-10, 10x throughput",
            "Performance Targets, row 2",
            *("max_in_flight", (1.0, 1.0), (5.0, 10.0), (10.0, 10.0)),
        ),
        Claim("Zero memory leaks in 24h", "Success Metrics", not_measured="needs a soak of 24 h"),
    ),
    simulated="The services were simulated (seed 7); the recording and both bots are real.",
)
ORIGINAL = {"upstream_requests": 66, "connections_opened": 78, "websocket_connects": 12}
OPTIMIZED = {"upstream_requests": 49, "connections_opened": 9, "websocket_connects": 1}


def _items(side: Side, base_ms: float, chance: random.Random) -> tuple[Item, ...]:
    items = []
    for number in range(12):
        key = f"{number:02d}" + "k" * 20
        if side == "original" and number in (3, 4, 8):
            items.append(Item(key, number * 10**9, "missed", None, None, "no effect"))
            continue
        latency = round(base_ms * chance.uniform(0.8, 1.2), 3)
        items.append(Item(key, number * 10**9, "handled", latency, f"content {number}"))
    return tuple(items)


def _run(side: Side, pair: int, chance: random.Random) -> Run:
    fast = side == "optimized"
    items = _items(side, 620 if fast else 4100, chance)
    handled = [item.latency_ms for item in items if item.latency_ms is not None]
    metrics: dict[str, float] = {
        "item_latency_ms.p50": sorted(handled)[len(handled) // 2],
        "item_latency_ms.p95": max(handled),
        "success_rate": len(handled) / 12,
        **(OPTIMIZED if fast else ORIGINAL),
        "max_in_flight": 6 + pair % 2 if fast else 1,
        "rugcheck_requests": 8 if fast else 12,
        "peak_rss_mb": round((62 if fast else 48) * chance.uniform(0.97, 1.03), 3),
        "cpu_s": round((1.9 if fast else 2.0) * chance.uniform(0.8, 1.2), 4),
        "schedule_lateness_ms.p99": round(chance.uniform(0.2, 0.9), 3),
    }
    first = "original" if pair % 2 == 0 else "optimized"
    return Run(side, pair, int(side != first), True, metrics, items)


def _finding(rule: str, name: str, severity: str, line: int) -> dict[str, Any]:
    return {"rule": rule, "name": name, "severity": severity, "path": "bot.py", "line": line}


def build(runs: tuple[Run, ...], scenario: Scenario = SCENARIO) -> Result:
    """Compare ``runs`` and wrap them as a bench would."""
    before = [
        _finding("PS101", "blocking-network-call", "critical", line) for line in (41, 58, 77, 90)
    ]
    before += [_finding("PS211", "connection-per-request", "high", 41)]
    before += [_finding("PS1001", "swallowed-exception", "low", 12)]
    after = [_finding("PS1001", "swallowed-exception", "low", 14)]
    return Result(
        scenario=describe_scenario(scenario),
        environment={
            "perfscan": "0.1.0",
            "python": "CPython 3.11.2",
            "platform": "Linux 6.8 x86_64",
            "cpus": 2,
            "load": 0.04,
            "versions": {"aiohttp": "3.14.5"},
            "git": {"commit": "0123456789abcdef", "changed": False},
        },
        recording={
            "path": "traffic.jsonl.gz",
            "sha256": "b1946ac9",
            "items": 12,
            "entries": 66,
            "seconds": 12.0,
            "latency": "recorded",
        },
        method={
            "pairs": 6,
            "order": "A B B A",
            "lanes": 1,
            "speed": 1.0,
            "seed": 1,
            "guard": "network namespace",
            "cpu_busy": 0.31,
            "agent": "event loops watched",
            "floor_assumes": {
                "item_latency_ms.p95": "warm connections and a bot that takes no time",
                "websocket_connects": "one connection for each stream, which is never lost",
                "success_rate": "every item is handled in time",
            },
        },
        runs=runs,
        comparison=compare(
            runs,
            scenario,
            floors={"item_latency_ms.p95": 520.0, "websocket_connects": 1, "success_rate": 1.0},
            circumstances=Circumstances(busy_before=0.02, cpu_busy=0.31),
        ),
        findings={"original": {"findings": before}, "optimized": {"findings": after}},
    )


@pytest.fixture(scope="session")
def runs() -> tuple[Run, ...]:
    chance = random.Random(7)
    sides: tuple[Side, Side] = ("original", "optimized")
    return tuple(_run(side, pair, chance) for pair in range(6) for side in sides)


@pytest.fixture(scope="session")
def faster(runs: tuple[Run, ...]) -> Result:
    """A clear improvement."""
    return build(runs)


@pytest.fixture(scope="session")
def unequal(runs: tuple[Run, ...]) -> Result:
    """The optimized side misses one item, sends one twice, and changes one."""

    def spoil(run: Run) -> Run:
        items = list(run.items)
        items[0] = replace(items[0], state="missed", latency_ms=None, detail="no effect")
        items[1] = replace(items[1], state="duplicated", detail="sent 2 times")
        items[2] = replace(
            items[2], state="wrong", detail='recorded ["a|b `x` @you"], sent ["<b>::error"]'
        )
        return replace(run, items=tuple(items))

    return build(tuple(spoil(run) if run.side == "optimized" else run for run in runs))


@pytest.fixture(scope="session")
def failed(runs: tuple[Run, ...]) -> Result:
    """Two pairs only, one of them with a bot that crashed."""
    crashed = replace(
        runs[3], ok=False, problem="the bot ended by itself (exit code 1)", items=(), metrics={}
    )
    crashed = replace(crashed, log="Traceback ```\n  | boom\n::error::x")
    made = build((*runs[:3], crashed))
    return replace(made, interrupted=True)


@pytest.fixture
def scan() -> Analysis:
    """A scan whose texts try to break out of every format."""
    finding = Finding(
        rule="PS104",
        name="blocking-via-helper",
        severity=Severity.CRITICAL,
        confidence=Confidence.DEFINITE,
        path="bot/price, ü.py",
        span=Span(2, 5, 2, 12),
        symbol="bot.price:on_price",
        message="fetch() blocks [the loop](http://x)\n::error::50 % | <b>@you",
        why="While the call waits, nothing else runs.",
        fix="Await it",
        trace=(
            TraceStep("bot/price, ü.py", 2, "bot.price:on_price"),
            TraceStep("bot/api.py", 9, "bot.api:fetch"),
        ),
        fingerprint="0123456789abcdef",
    )
    several = replace(
        finding,
        severity=Severity.MEDIUM,
        span=Span(3, 1, 5, 2),
        message="a \x1b and a \udce9",
        trace=(),
        fingerprint="fedcba9876543210",
    )
    low = replace(several, severity=Severity.LOW, path="bot/api.py", fingerprint="00", message="m")
    return Analysis(
        root="/srv/bot",
        files=2,
        lines=30,
        findings=(low, finding, several),
        errors=(FileError("bot/old.py", 3, "is not valid Python <3", named=True),),
        withheld={"baseline": 2},
        sources={
            "bot/price, ü.py": ("async def on_price():", "    fetch()", "x = (", ") ", ""),
            "bot/api.py": ("a", "b", "c"),
        },
    )


@pytest.fixture
def clean() -> Analysis:
    """A scan without findings."""
    return Analysis(root="/srv/bot", files=1, lines=1, findings=())
