from __future__ import annotations

import json

from wire.talk import RULES, key

from perfscan.replay.exchanges import WebSocketSession
from perfscan.replay.model import Message, Open, Request, Response
from perfscan.replay.server.topics import Case, Vocabulary
from perfscan.replay.server.transcript import REPLY_NS, Transcript


class Read:
    """A session; lines are (``>`` sent or ``<`` received, JSON value or text), 1 us apart."""

    def __init__(self, *lines: tuple[str, object], apart_ns: int = 1000) -> None:
        session = WebSocketSession(
            Open(1, 0, "https", "a", 443),
            Request(1, 1, 0, "GET", "/"),
            Response(1, 1, 0, 0, 101),
            (),
            (),
            None,
        )
        self.transcript = Transcript(session, (), RULES, Vocabulary(RULES), {}, {})
        self.pushed: list[tuple[Case, object]] = []
        for number, (arrow, value) in enumerate(lines, start=1):
            data = value if isinstance(value, str | bytes) else json.dumps(value)
            at_ns = apart_ns * number
            if arrow == ">":
                self.transcript.send(Message(1, at_ns, "sent", data))
            elif not self.transcript.answers(Message(1, at_ns, "received", data)):
                self.pushed.append(self.transcript.case(data))

    @property
    def answers(self) -> list[list[str]]:
        """For each thing that was asked what it was answered, id left out."""
        return [[one.text_for("?") for one in asked.answers] for asked in self.transcript.asked]


def test_answers_are_found_by_id_in_any_order() -> None:
    read = Read(
        (">", {"id": 1, "method": "a"}),
        (">", {"id": "1", "method": "b"}),
        ("<", {"id": "1", "result": "for b"}),
        ("<", {"id": 1, "result": "for a"}),
    )
    assert read.answers == [
        ['{"id": "?", "result": "for a"}'],
        ['{"id": "?", "result": "for b"}'],
    ]


def test_what_only_looks_like_an_answer_is_none() -> None:
    read = Read(
        ("<", {"id": 1, "result": "before it was asked"}),
        (">", {"id": 1, "method": "a"}),
        ("<", {"id": 1, "method": "a request of the service"}),
        ("<", {"id": 2, "result": "another id"}),
        ("<", {"id": None}),
        ("<", "text"),
        ("<", b"\x00\xff"),
        ("<", "[1]"),
    )
    assert read.answers == [[]]
    assert len(read.pushed) == 7


def test_an_id_that_is_used_again_is_answered_again() -> None:
    ask, answer = (">", {"id": 1, "method": "a"}), ("<", {"id": 1, "result": 1})
    assert list(map(len, Read(ask, answer, ask, answer).answers)) == [1, 1]
    assert list(map(len, Read(ask, ask, answer, answer).answers)) == [1, 1]
    assert len(Read(ask, answer, answer).pushed) == 1


def test_what_is_pushed_under_an_assigned_id_belongs_to_its_subscription() -> None:
    ask = {"jsonrpc": "2.0", "id": 1, "method": "logsSubscribe", "params": ["all"]}
    other = ask | {"id": 2, "method": "slotSubscribe"}
    read = Read(
        (">", ask),
        (">", other),
        ("<", {"id": 1, "result": 7}),
        ("<", {"id": 2, "result": "0x9c"}),
        ("<", {"method": "n", "params": {"subscription": "0x9c"}}),
        ("<", {"method": "n", "params": {"subscription": 7}}),
        ("<", {"method": "n", "params": {"subscription": 8}}),
    )
    both = {key(ask), key(other)}
    assert [case.active for case, _ in read.pushed] == [{key(other)}, {key(ask)}, both]


def test_channels_by_number() -> None:
    def subscribed(number: int, symbol: str) -> dict[str, object]:
        return {"event": "subscribed", "channel": "trades", "chanId": number, "symbol": symbol}

    read = Read(
        (">", {"event": "subscribe", "channel": "trades", "symbol": "tBTCUSD"}),
        (">", {"event": "subscribe", "channel": "trades", "symbol": "tETHUSD"}),
        ("<", subscribed(17470, "tBTCUSD")),
        ("<", subscribed(99, "tETHUSD")),
        ("<", [99, "te", [1, 2, 3]]),
        (">", {"event": "unsubscribe", "chanId": 99}),
        ("<", [17470, "hb"]),
    )
    assert [len(one) for one in read.answers] == [1, 1, 0]
    assert ["tETH" in "".join(case.active) for case, _ in read.pushed] == [True, False]


def test_answers_are_found_by_word_where_there_is_no_id() -> None:
    read = Read(
        (">", {"op": "subscribe", "args": ["a"]}),
        ("<", {"topic": "a", "data": 1}),
        ("<", {"success": True, "op": "subscribe", "conn_id": "x"}),
        ("<", {"topic": "a", "data": 2}),
        (">", {"op": "ping"}),
        ("<", {"op": "pong"}),
        (">", "ping"),
        ("<", "pong"),
        ("<", {"note": "subscribe now"}),
    )
    assert [len(one) for one in read.answers] == [1, 1, 1]
    assert [data for _, data in read.pushed][-1] == '{"note": "subscribe now"}'
    assert len(read.pushed) == 3


def test_what_comes_much_later_is_no_answer() -> None:
    read = Read((">", {"op": "auth"}), ("<", {"op": "auth"}), apart_ns=REPLY_NS + 1)
    assert read.answers == [[]]


def test_each_topic_of_a_request_may_be_answered() -> None:
    ask = {
        "event": "subscribe",
        "pair": ["XBT/USD", "ETH/USD"],
        "subscription": {"name": "ticker"},
    }

    def status(pair: str) -> dict[str, object]:
        return {
            "channelID": 1,
            "event": "subscriptionStatus",
            "pair": pair,
            "subscription": {"name": "ticker"},
        }

    read = Read((">", ask), ("<", status("XBT/USD")), ("<", status("ETH/USD")))
    (asked,) = read.transcript.asked
    assert [one.unit for one in asked.answers] == list(asked.ask.units)


def test_a_batch_is_answered_call_by_call() -> None:
    def call(number: int) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": number, "method": f"m{number}", "params": []}

    read = Read(
        (">", [call(1), call(2)]), ("<", [{"id": 2, "result": "b"}, {"id": 1, "result": "a"}])
    )
    assert read.answers == [['{"id": "?", "result": "a"}'], ['{"id": "?", "result": "b"}']]
