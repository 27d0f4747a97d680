"""Which recorded requests belong to an item, for a critical path that is declared.

One does when it holds the item's key, or a long value of an answer that belongs already. Values
that most items share (program and account names) join nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from perfscan.replay.exchanges import Exchange
from perfscan.replay.keys import Key, host_key, things_asked
from perfscan.replay.model import MatchRules

COMMON = 0.8
"""A value in the answers about more than this share of the items joins nothing."""
LONG = re.compile(rb"[A-Za-z0-9_-]{20,}")
"""Values that mean one thing wherever they stand: hashes, addresses, ids."""

Asked = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A recorded exchange with the long values that it sends and receives."""

    exchange: Exchange
    asked: Asked
    text: bytes
    sent: frozenset[bytes]
    received: frozenset[bytes]


def asked_of(call: Exchange, rules: MatchRules) -> Asked:
    """Return what a request asks for; more than one thing for a batch."""
    return things_asked(call.request, host_key(call.open), rules)


def sent_text(call: Exchange) -> bytes:
    """Return what a request says: its target and its body."""
    return call.request.target.encode() + b"\n" + call.request.body


def read_calls(calls: Iterable[Exchange], rules: MatchRules) -> list[Call]:
    """Return the calls with the values that go to and fro, in order of sending."""
    read = []
    for call in calls:
        text = sent_text(call)
        body = call.response.body if call.response else b""
        sent, received = (frozenset(LONG.findall(data)) for data in (text, body))
        read.append(Call(call, asked_of(call, rules), text, sent, received))
    return read


def rare(calls: Sequence[Call], keys: Sequence[str]) -> list[Call]:
    """Drop received values that are too common to tell one item from another."""
    seen: Counter[bytes] = Counter()
    for key in keys:
        needle = key.encode()
        about = [call.received for call in calls if needle in call.text]
        seen.update(frozenset[bytes]().union(*about))
    limit = max(2.0, COMMON * len(keys))
    common = {token for token, items in seen.items() if items > limit}
    return [replace(call, received=call.received - common) for call in calls]


def belonging(key: str, begin_ns: int, end_ns: int, calls: Sequence[Call]) -> dict[Asked, Exchange]:
    """Return the different requests of one item before its effect, of equal ones the last."""
    return {call.asked: call.exchange for call in all_belonging(key, begin_ns, end_ns, calls)}


def all_belonging(key: str, begin_ns: int, end_ns: int, calls: Sequence[Call]) -> list[Call]:
    """Return the requests of one item before its effect, in order of sending."""
    needle = key.encode()
    known: set[bytes] = set()
    found: list[Call] = []
    for call in calls:
        sent_ns = call.exchange.request.at_ns
        if begin_ns <= sent_ns < end_ns and (needle in call.text or known & call.sent):
            found.append(call)
            known |= call.received
    return found
