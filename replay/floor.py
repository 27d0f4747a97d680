"""The best that the recorded traffic permits, to set beside what was measured.

What the floors assume:

- *Item latency*: every connection is warm, nothing queues, nothing has to be asked twice, the bot
  itself takes no time. An item then takes the sum over the stages of the scenario's critical path
  of the largest recorded service time among its requests in that stage; the effect's own answer
  comes after its end. Which recorded requests belong to an item is found by value flow: one does
  when it holds the item's key or a long value (20 characters or more) of an answer that already
  belongs to it. Values that most items share (program and account names) carry nothing. Of equal
  requests the last before the effect counts: it is the one whose answer was used. What an earlier
  item asked for as well costs nothing, as with a cache that never expires.
- *Connections*: one per host, and one per WebSocket stream. HTTP/1.1 needs one for each request
  that is open at the same time, so a bot cannot be at both floors, this and the latency's, at once.
- *Own counts*: each distinct recorded request once, as with a cache that never expires.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from perfscan.replay.catalogue import per_item
from perfscan.replay.exchanges import Exchange, exchanges, websockets
from perfscan.replay.items import request_matches, without_query
from perfscan.replay.keys import Key, host_key, read_request
from perfscan.replay.metrics import summary
from perfscan.replay.model import MatchRules, Recording, Scenario
from perfscan.replay.work import effects, expected_items, stimuli

COMMON = 0.8
"""A value in the answers about more than this share of the items joins nothing."""
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{20,}")


def floors(recording: Recording, scenario: Scenario) -> dict[str, float]:
    """Return the best possible value per metric; only metrics for which one can be given."""
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    streams = {without_query(session.url) for session in websockets(recording)}
    hosts = {host_key(call.open) for call in calls}
    totals = _distinct(calls, scenario.counts, scenario.match)
    items = expected_items(recording, scenario.items)
    return {
        **summary("item_latency_all_ms", list(item_floors(recording, scenario).values())),
        "success_rate": 1.0,
        "websocket_connects": len(streams),
        "connections_opened": len(streams) + len(hosts),
        **totals,
        **{per_item(name): total / items for name, total in totals.items() if items},
    }


def _distinct(
    calls: Sequence[Exchange], counts: Mapping[str, str], rules: MatchRules
) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, pattern in counts.items():
        counted = [c for c in calls if request_matches(pattern, c.request.method, c.url)]
        found[name] = len({_keys(call, rules) for call in counted})
    return found


def _keys(call: Exchange, rules: MatchRules) -> tuple[Key, ...]:
    sent = call.request
    asked = read_request(
        sent.method, host_key(call.open), sent.target, sent.headers, sent.body, rules
    )
    return tuple(one.key for one in asked.calls)


# --- Latency --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    """A recorded exchange with the long values that it sends and receives."""

    exchange: Exchange
    asked: tuple[Key, ...]
    text: bytes
    sent: frozenset[bytes]
    received: frozenset[bytes]


def item_floors(recording: Recording, scenario: Scenario) -> dict[str, float]:
    """Return the least latency that each item could have, ms; empty without a critical path."""
    if not scenario.critical_path or recording.header.latency != "recorded":
        return {}
    calls = [call for call in exchanges(recording) if not call.is_websocket]
    done = effects(recording, scenario.items)
    begun = stimuli(recording, scenario.items)
    keys = [key for key in begun if key in done]
    flow = _rare(_read(calls, scenario.match), [begun[key].value for key in keys])
    times = {}
    cached: set[tuple[Key, ...]] = set()
    for key in keys:
        needed = _belonging(begun[key].value, begun[key].at_ns, done[key][0].at_ns, flow)
        fresh = [call for asked, call in needed.items() if asked not in cached]
        times[key] = _critical_ms(fresh, scenario.critical_path)
        cached |= needed.keys()
    return times


def _read(calls: Iterable[Exchange], rules: MatchRules) -> list[_Call]:
    read = []
    for call in calls:
        text = call.request.target.encode() + b"\n" + call.request.body
        body = call.response.body if call.response else b""
        sent, received = (frozenset(_TOKEN.findall(data)) for data in (text, body))
        read.append(_Call(call, _keys(call, rules), text, sent, received))
    return read


def _rare(calls: Sequence[_Call], keys: Sequence[str]) -> list[_Call]:
    """Drop received values that are too common to tell one item from another."""
    seen: Counter[bytes] = Counter()
    for key in keys:
        needle = key.encode()
        about = [call.received for call in calls if needle in call.text]
        seen.update(frozenset[bytes]().union(*about))
    limit = max(2.0, COMMON * len(keys))
    common = {token for token, items in seen.items() if items > limit}
    return [replace(call, received=call.received - common) for call in calls]


def _belonging(
    key: str, begin_ns: int, end_ns: int, calls: Sequence[_Call]
) -> dict[tuple[Key, ...], Exchange]:
    """Return the different requests of one item before its effect, of equal ones the last."""
    needle = key.encode()
    known: set[bytes] = set()
    found: dict[tuple[Key, ...], Exchange] = {}
    for call in calls:
        sent_ns = call.exchange.request.at_ns
        if begin_ns <= sent_ns < end_ns and (needle in call.text or known & call.sent):
            found[call.asked] = call.exchange
            known |= call.received
    return found


def _critical_ms(calls: Sequence[Exchange], path: Sequence[Sequence[str]]) -> float:
    """Add up the slowest request of each stage; a stage without requests costs nothing."""
    total_ns = 0
    for stage in path:
        times = [
            call.service_ns
            for call in calls
            if call.service_ns is not None
            and any(request_matches(one, call.request.method, call.url) for one in stage)
        ]
        total_ns += max(times, default=0)
    return total_ns / 1e6
