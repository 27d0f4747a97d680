"""Value flow: which recorded requests belong to an item, and which had to wait for which.

A request had to wait for an answer when it sends a value that this answer brought. Nothing else
proves it: that a bot asked one thing after the other may be its own slowness.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from perfscan.replay.exchanges import Exchange
from perfscan.replay.keys import Key, host_key, read_request
from perfscan.replay.model import MatchRules

COMMON = 0.8
"""A value in the answers about more than this share of the items joins nothing."""
SHORT_IN = 65_536
"""Bytes of an answer above which only its long values are looked at."""
_LONG = re.compile(rb"[A-Za-z0-9_-]{20,}")
_SHORT = re.compile(rb"[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*(?:\.[0-9]+)?")
SHORTEST = 4
"""Characters of a value with a digit; fewer meet by chance."""

Asked = tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A recorded exchange with the values that it sends and receives."""

    exchange: Exchange
    asked: Asked
    text: bytes
    sent: frozenset[bytes]
    received: frozenset[bytes]
    """Values of 20 characters and more, which mean one thing wherever they stand."""
    brought: frozenset[bytes] = frozenset()
    """Values with a digit that nothing before this answer held, in the whole recording."""


def asked_of(call: Exchange, rules: MatchRules) -> Asked:
    """Return what a request asks for; more than one thing for a batch."""
    sent = call.request
    asked = read_request(
        sent.method, host_key(call.open), sent.target, sent.headers, sent.body, rules
    )
    return tuple(one.key for one in asked.calls)


def read_calls(calls: Iterable[Exchange], rules: MatchRules, *, news: bool) -> list[Call]:
    """Return the calls with the values that go to and fro, in order of sending.

    With ``news`` that includes short values which an answer was the first to bring.
    """
    read = []
    for call in calls:
        text = call.request.target.encode() + b"\n" + call.request.body
        body = call.response.body if call.response else b""
        sent, received = (frozenset(_LONG.findall(data)) for data in (text, body))
        read.append(Call(call, asked_of(call, rules), text, sent, received))
    return _with_news(read) if news else read


def _with_news(calls: Sequence[Call]) -> list[Call]:
    """Find what each answer was the first to bring, by going through all texts in time order."""
    texts: list[tuple[int, int, bytes]] = []
    for number, call in enumerate(calls):
        texts.append((call.exchange.request.at_ns, -1, call.text))
        answer = call.exchange.response
        if answer is not None and len(answer.body) <= SHORT_IN:
            texts.append((answer.end_ns, number, answer.body))
    known: set[bytes] = set()
    brought: dict[int, frozenset[bytes]] = {}
    for _, number, text in sorted(texts):
        values = short_values(text)
        if number >= 0:
            brought[number] = frozenset(values - known)
        known |= values
    return [
        replace(call, brought=brought.get(number, frozenset())) for number, call in enumerate(calls)
    ]


def short_values(text: bytes) -> set[bytes]:
    """Return the words of ``text`` that hold a digit: prices, numbers of orders, ids."""
    return {value for value in _SHORT.findall(text) if len(value) >= SHORTEST}


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


def belonging(key: str, begin_ns: int, end_ns: int, calls: Sequence[Call]) -> dict[Asked, Call]:
    """Return the different requests of one item before its effect, of equal ones the last.

    One belongs when it holds the item's ``key`` or a value of an answer that belongs already.
    """
    needle = key.encode()
    known: set[bytes] = set()
    found: dict[Asked, Call] = {}
    for call in calls:
        sent_ns = call.exchange.request.at_ns
        if not begin_ns <= sent_ns < end_ns:
            continue
        if needle in call.text or known & call.sent or known & short_values(call.text):
            found[call.asked] = call
            known |= call.received | call.brought
    return found


class Waits:
    """When each of an item's calls could be answered at best, in ns after the item began.

    What is in ``free`` was known before and takes no time. A value is there as soon as the
    quickest of the answers that hold it, among those that the recorded bot had by then.
    """

    def __init__(self, calls: Sequence[Call], free: Container[Asked]) -> None:
        self._providers: dict[bytes, list[Call]] = defaultdict(list)
        self.finished: dict[Asked, int] = {}
        for call in calls:  # in order of sending: what provides comes first
            sent = call.exchange.request
            service_ns = 0 if call.asked in free else call.exchange.service_ns or 0
            self.finished[call.asked] = self.ready_ns(call.text, sent.at_ns) + service_ns
            for value in call.received | call.brought:
                self._providers[value].append(call)

    def ready_ns(self, text: bytes, sent_ns: int) -> int:
        """Return when all values of ``text``, sent at ``sent_ns`` in the recording, are there."""
        return max(
            (
                min(self.finished[call.asked] for call in bringing)
                for value in {*_LONG.findall(text), *short_values(text)}
                if (bringing := self._had(value, sent_ns))
            ),
            default=0,
        )

    def _had(self, value: bytes, sent_ns: int) -> list[Call]:
        return [
            call
            for call in self._providers.get(value, ())
            if call.exchange.response is not None and call.exchange.response.at_ns <= sent_ns
        ]
