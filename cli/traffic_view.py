"""How ``perfscan traffic show`` prints a recording: 80 columns, or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from perfscan.quantities import ABSENT, count, quantity
from perfscan.replay.model import Recording
from perfscan.replay.summary import ConnectionCost, Load, StreamLoad, Summary
from perfscan.reports.excerpt import inert
from perfscan.reports.table import plain_table, wrapped

WIDTH = 80
MOST_ROWS = 20


def as_json(recording: Recording, summary: Summary) -> str:
    """Return the summary as one JSON object."""
    header = recording.header
    document = {
        "schema": "perfscan.traffic/1",
        "file": str(recording.path),
        "sha256": recording.sha256,
        "format": recording.format,
        "source": header.source,
        "started_at": header.started_at,
        "latency": header.latency,
        "command": list(header.command),
        "truncated": recording.truncated,
        "redacted": dict(header.redacted),
        "notes": list(header.notes),
        "events": len(recording.events),
        **asdict(summary),
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_text(recording: Recording, summary: Summary) -> str:
    """Return the summary as text of at most 80 columns."""
    lines = [*_header(recording, summary)]
    lines += _section("Hosts", [*_loads("host", summary.hosts, 44)] if summary.hosts else [])
    lines += _section("Endpoints", [*_loads("endpoint", summary.endpoints, 44)])
    lines += _section("Requests to the bot", [*_loads("endpoint", summary.inbound, 44)])
    lines += _section("WebSockets", _streams(summary.streams))
    lines += _section("Connections", _costs(summary.connections))
    failures = [f"{count(times)}x {detail}" for detail, times in summary.failures.items()]
    lines += _section("Failures", [line for text in failures for line in wrapped(text, WIDTH)])
    return "\n".join(lines)


def _header(recording: Recording, summary: Summary) -> list[str]:
    header = recording.header
    received = sum(load.requests for load in summary.inbound)
    redacted = ", ".join(f"{count(number)} in {kind}" for kind, number in header.redacted.items())
    facts = [
        f"format: {recording.format}",
        f"source: {header.source}"
        + (f", started {header.started_at}" if header.started_at else ""),
    ]
    if header.command:
        facts.append(f"command: {' '.join(header.command)}")
    facts.append(
        f"{count(len(recording.events))} events in {quantity(summary.duration_s * 1000, 'ms')}: "
        f"{count(summary.requests)} requests, {count(summary.messages)} WebSocket messages"
        + (f", {count(received)} requests to the bot" if received else "")
    )
    if header.latency != "recorded":
        facts.append(f"latency: {header.latency}")
    facts.append(f"redacted: {redacted or 'nothing'}")
    if recording.truncated:
        facts.append("cut off: the recording ended inside a line or an exchange")
    facts += [f"note: {note}" for note in header.notes]
    title = str(recording.path)
    return [inert(title), *(line for fact in facts for line in wrapped(fact, WIDTH, rest="    "))]


def _section(title: str, rows: Sequence[str]) -> list[str]:
    return ["", title, *rows] if rows else []


def _loads(what: str, loads: Sequence[Load], width: int) -> list[str]:
    if not loads:
        return []
    rows = [
        (
            shortened(load.name, width),
            count(load.requests),
            quantity(load.p50_ms, "ms"),
            quantity(load.p95_ms, "ms"),
            count(load.errors) if load.errors else "",
        )
        for load in loads[:MOST_ROWS]
    ]
    header = (what, "n", "p50", "p95", "errors")
    lines = plain_table(header, ("left", "right", "right", "right", "right"), rows)
    rest = len(loads) - len(rows)
    return [*lines, f"  and {count(rest)} more"] if rest > 0 else lines


def _streams(streams: Sequence[StreamLoad]) -> list[str]:
    if not streams:
        return []
    rows = [
        (
            shortened(stream.url, 32),
            count(stream.sessions),
            count(stream.sent),
            count(stream.received),
            count(stream.unheard) if stream.unheard else "",
            ABSENT if stream.per_second is None else quantity(stream.per_second, "items/s"),
        )
        for stream in streams
    ]
    header = ("URL", "opened", "sent", "received", "unheard", "rate")
    return plain_table(header, ("left", "right", "right", "right", "right", "right"), rows)


def _costs(costs: Sequence[ConnectionCost]) -> list[str]:
    rows = [
        (
            shortened(cost.host, 44),
            count(cost.opened),
            quantity(cost.connect_ms, "ms"),
            quantity(cost.tls_ms, "ms"),
        )
        for cost in costs
    ]
    header = ("host", "opened", "connect", "TLS")
    return plain_table(header, ("left", "right", "right", "right"), rows) if rows else []


def shortened(text: str, width: int) -> str:
    """Return ``text`` on one line of at most ``width`` columns, its middle left out if need be."""
    flat = inert(" ".join(text.split()))
    if len(flat) <= width:
        return flat
    head = (width - 1) // 2
    return f"{flat[:head]}…{flat[len(flat) - (width - 1 - head) :]}"
