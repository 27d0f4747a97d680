from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from perfscan.replay.exchanges import websockets
from perfscan.replay.keys import message_key
from perfscan.replay.model import (
    Close,
    Direction,
    Event,
    MatchRules,
    Message,
    Open,
    Recording,
    RecordingHeader,
    Request,
    Response,
)
from perfscan.replay.server.streams import Hangup, Push, StreamPlan, frame_of, plan_stream

MS = 1_000_000
RULES = MatchRules()
SENT: Direction = "sent"
RECEIVED: Direction = "received"
Line = tuple[int, Direction, object]


def session(number: int, opened_ms: int, *lines: Line, close: Close | None = None) -> list[Event]:
    """Return one WebSocket session; lines are (milliseconds, direction, JSON value or text)."""
    opened = Open(number, opened_ms * MS, "https", "rpc.example", 443)
    request = Request(number, number, (opened_ms + 1) * MS, "GET", "/?api-key=x")
    response = Response(number, number, (opened_ms + 2) * MS, (opened_ms + 2) * MS, 101)
    messages = [
        Message(number, at * MS, direction, text if isinstance(text, str) else json.dumps(text))
        for at, direction, text in lines
    ]
    return [opened, request, response, *messages, *([close] if close else [])]


def plan(*parts: Sequence[Event]) -> StreamPlan:
    events = sorted((event for part in parts for event in part), key=lambda event: event.at_ns)
    return plan_stream(websockets(Recording(RecordingHeader(), tuple(events))), RULES)


def subscribe(method: str = "logsSubscribe", number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": ["all"]}


def acknowledge(subscription: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "result": subscription, "id": number}


def notice(text: str, subscription: object = 7) -> dict[str, object]:
    return {"method": "n", "params": {"subscription": subscription, "result": text}}


def key(value: object) -> str:
    return message_key(json.dumps(value), RULES)


def pushed(stream: StreamPlan) -> list[tuple[int, object]]:
    """Return (milliseconds, JSON value) of all pushes; frames here are short."""
    found = []
    for event in stream.events:
        if isinstance(event, Push):
            head = 2 if event.frame[1] < 126 else 4
            found.append((event.at_ns // MS, json.loads(event.frame[head:])))
    return found


def test_the_stream_starts_at_the_first_subscription() -> None:
    stream = plan(
        session(
            1,
            100,
            (150, SENT, subscribe()),
            (170, RECEIVED, acknowledge(7)),
            (300, RECEIVED, notice("a")),
        )
    )
    assert stream.gated
    assert stream.recorded_ns == 150 * MS
    assert stream.url == "wss://rpc.example/"
    assert pushed(stream) == [(300, notice("a"))]
    (push,) = stream.events
    assert isinstance(push, Push)
    assert push.gate == {key(subscribe())}
    assert push.message == 5


def test_an_acknowledgement_keeps_its_delay_and_takes_the_clients_id() -> None:
    stream = plan(session(1, 0, (10, SENT, subscribe(number=5)), (35, RECEIVED, acknowledge(7, 5))))
    (given,) = stream.acknowledgements[key(subscribe())]
    assert given.delay_ns == 25 * MS
    assert json.loads(given.text_for("mine")) == acknowledge(7, "mine")


def test_without_subscription_the_stream_starts_at_the_opening() -> None:
    stream = plan(session(1, 100, (300, RECEIVED, "tick")), session(2, 500, (700, RECEIVED, "x")))
    assert not stream.gated
    assert stream.recorded_ns == 102 * MS
    assert [event.at_ns // MS for event in stream.events] == [300, 700]


def test_a_subscription_has_one_id_on_all_connections() -> None:
    stream = plan(
        session(
            1,
            0,
            (10, SENT, subscribe()),
            (20, RECEIVED, acknowledge(7)),
            (30, RECEIVED, notice("a")),
        ),
        session(
            2,
            100,
            (110, SENT, subscribe(number=9)),
            (120, RECEIVED, acknowledge(8, 9)),
            (130, RECEIVED, notice("b", 8)),
        ),
        session(3, 200, (210, SENT, subscribe()), (220, RECEIVED, acknowledge(11))),
    )
    assert pushed(stream) == [(30, notice("a", 7)), (130, notice("b", 7))]
    results = [json.loads(one.text_for(1)) for one in stream.acknowledgements[key(subscribe())]]
    assert results == [acknowledge(7)] * 3


def test_two_subscriptions_never_share_an_id() -> None:
    other = subscribe("slotSubscribe")
    stream = plan(
        session(
            1,
            0,
            (10, SENT, subscribe()),
            (20, RECEIVED, acknowledge(7)),
            (30, RECEIVED, notice("a")),
        ),
        session(
            2, 5, (15, SENT, other), (25, RECEIVED, acknowledge(7)), (35, RECEIVED, notice("s"))
        ),
    )
    ids = [value["params"]["subscription"] for _, value in pushed(stream)]  # type: ignore[index]
    assert ids[0] == 7
    assert ids[1] != 7
    (given,) = stream.acknowledgements[key(other)]
    assert json.loads(given.text_for(1))["result"] == ids[1]


def test_sessions_at_the_same_time_tell_one_story() -> None:
    """A reconnecting bot was recorded beside a stream that went on: no message comes twice."""
    held = session(
        1,
        0,
        (10, SENT, subscribe()),
        (20, RECEIVED, acknowledge(7)),
        *[(at, RECEIVED, notice(f"n{at}")) for at in (30, 130, 230)],
    )
    held[4:] = [
        replace(event, heard=False)
        if isinstance(event, Message) and event.at_ns > 100 * MS
        else event
        for event in held[4:]
    ]
    again = session(
        2,
        100,
        (110, SENT, subscribe()),
        (120, RECEIVED, acknowledge(8)),
        (131, RECEIVED, notice("n130", 8)),
    )
    stream = plan(held, again)
    assert [at for at, _ in pushed(stream)] == [30, 130, 230]
    assert len(stream.acknowledgements[key(subscribe())]) == 2


def test_what_a_held_stream_noted_belongs_to_the_story_wherever_it_stands() -> None:
    """The recorder notes each message once, under the bot's last connection, also between two."""
    unheard = {60, 70, 104, 106, 190}
    parts = [
        *session(
            1,
            0,
            (10, SENT, subscribe()),
            (20, RECEIVED, acknowledge(7)),
            *[(at, RECEIVED, notice(f"n{at}")) for at in (30, 60, 70, 190)],
            close=Close(1, 31 * MS, "bot", 1000),
        ),
        *session(
            2,
            100,
            (108, SENT, subscribe()),
            (120, RECEIVED, acknowledge(7)),
            *[(at, RECEIVED, notice(f"n{at}")) for at in (104, 106, 130)],
        ),
    ]
    held = [
        replace(event, heard=event.at_ns // MS not in unheard)
        if isinstance(event, Message)
        else event
        for event in parts
    ]
    stream = plan(held)
    assert [at for at, _ in pushed(stream)] == [30, 60, 70, 104, 106, 130, 190]
    assert stream.greetings == ((), ())


def test_topics_at_the_same_time_are_different_stories() -> None:
    other = subscribe("slotSubscribe")
    stream = plan(
        session(
            1,
            0,
            (10, SENT, subscribe()),
            (20, RECEIVED, acknowledge(7)),
            *[(at, RECEIVED, notice("a")) for at in (30, 60)],
        ),
        session(
            2, 0, (11, SENT, other), (21, RECEIVED, acknowledge(8)), (40, RECEIVED, notice("s", 8))
        ),
    )
    gates = [event.gate for event in stream.events if isinstance(event, Push)]
    assert gates == [{key(subscribe())}, {key(other)}, {key(subscribe())}]


def test_streams_without_ids_belong_to_what_was_sent_before() -> None:
    first, second = {"op": "subscribe", "args": ["a"]}, {"op": "subscribe", "args": ["b"]}
    stream = plan(
        session(
            1,
            0,
            (5, SENT, first),
            (10, RECEIVED, "x"),
            (15, SENT, second),
            (20, RECEIVED, "y"),
        )
    )
    gates = [event.gate for event in stream.events if isinstance(event, Push)]
    assert gates == [{key(first)}, {key(first), key(second)}]


def test_what_comes_before_a_word_is_said_greets_everybody() -> None:
    stream = plan(
        session(1, 0, (10, RECEIVED, "welcome"), (50, SENT, subscribe()), (60, RECEIVED, "x"))
    )
    (greeting,) = stream.greetings[0]
    assert (greeting.after_ns, greeting.frame) == (8 * MS, frame_of("welcome"))
    assert len(stream.events) == 1


def test_a_bot_that_only_listens_is_not_greeted() -> None:
    stream = plan(session(1, 0, (10, RECEIVED, "tick")))
    assert stream.greetings == ((),)
    assert len(stream.events) == 1


def test_only_the_service_hangs_up() -> None:
    end = Close(1, 90 * MS, "upstream", 1012, "restart")
    stream = plan(session(1, 0, (10, RECEIVED, "tick"), close=end))
    assert stream.events[-1] == Hangup(90 * MS, 1012, "restart")
    mine = plan(session(1, 0, (10, RECEIVED, "tick"), close=replace(end, by="bot")))
    assert not any(isinstance(event, Hangup) for event in mine.events)


def test_leaving_a_subscription_names_its_common_id() -> None:
    def leave(subscription: int) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": 2, "method": "logsUnsubscribe", "params": [subscription]}

    stream = plan(
        session(
            1,
            0,
            (10, SENT, subscribe()),
            (20, RECEIVED, acknowledge(7)),
            (30, RECEIVED, notice("a")),
        ),
        session(
            2,
            100,
            (110, SENT, subscribe()),
            (120, RECEIVED, acknowledge(8)),
            (130, RECEIVED, notice("b", 8)),
            (140, SENT, leave(8)),
            (150, RECEIVED, acknowledge(True, 2)),
        ),
    )
    assert key(leave(7)) in stream.known
    assert key(leave(8)) not in stream.known
    assert key(leave(7)) in stream.acknowledgements


def test_frames_are_those_of_a_server() -> None:
    assert frame_of("hi") == b"\x81\x02hi"
    assert frame_of(b"hi") == b"\x82\x02hi"
    assert frame_of("x" * 200)[:4] == b"\x81\x7e\x00\xc8"
