from __future__ import annotations

import json
from dataclasses import replace

from wire.talk import (
    MS,
    RECEIVED,
    RULES,
    SENT,
    Line,
    acknowledge,
    draft,
    frame_at,
    gates,
    key,
    notice,
    plan,
    pushed,
    session,
    subscribe,
)

from perfscan.replay.model import Close, Message, Ping
from perfscan.replay.server.draft import PING
from perfscan.replay.server.frames import frame_of
from perfscan.replay.server.streams import Hangup, plan_stream
from perfscan.replay.server.subscriptions import read_asks


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
    assert gates(stream) == [{key(subscribe())}]
    assert stream.rows.message.tolist() == [5]


def test_an_acknowledgement_keeps_its_delay_and_takes_the_clients_id() -> None:
    stream = plan(session(1, 0, (10, SENT, subscribe(number=5)), (35, RECEIVED, acknowledge(7, 5))))
    ((given,),) = stream.answers[key(subscribe())]
    assert given.delay_ns == 25 * MS
    assert json.loads(given.text_for("mine")) == acknowledge(7, "mine")


def test_without_subscription_the_stream_starts_at_the_opening() -> None:
    stream = plan(session(1, 100, (300, RECEIVED, "tick")), session(2, 500, (700, RECEIVED, "x")))
    assert not stream.gated
    assert stream.recorded_ns == 102 * MS
    assert [at for at, _ in pushed(stream)] == [300, 700]


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
    results = [json.loads(one.text_for(1)) for (one,) in stream.answers[key(subscribe())]]
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
    ((given,),) = stream.answers[key(other)]
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
    assert len(stream.answers[key(subscribe())]) == 2


def test_what_a_held_stream_noted_belongs_to_the_story_wherever_it_stands() -> None:
    """The recorder notes each message once, under the bot's last connection, also between two."""
    unheard = {60, 70, 99, 101, 104, 106, 190}
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
            *[(at, RECEIVED, notice(f"n{at}")) for at in (99, 101, 104, 106, 130)],
        ),
    ]
    held = [
        replace(event, heard=event.at_ns // MS not in unheard)
        if isinstance(event, Message)
        else event
        for event in parts
    ]
    stream = plan(held)
    assert [at for at, _ in pushed(stream)] == [30, 60, 70, 99, 101, 104, 106, 130, 190]
    assert gates(stream) == [{key(subscribe())}] * 9
    assert stream.gated
    assert stream.greetings == ((), ())


def test_what_was_noted_under_a_connection_before_its_handshake_is_not_lost() -> None:
    first = session(1, 0, (10, SENT, subscribe()), (20, RECEIVED, acknowledge(7)))
    again = session(2, 100, (110, SENT, subscribe()), (120, RECEIVED, acknowledge(7)))
    noted = Message(2, 60 * MS, "received", json.dumps(notice("n60")), heard=False)
    assert [at for at, _ in pushed(plan(first, [*again, noted]))] == [60]


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
    assert gates(stream) == [{key(subscribe())}, {key(other)}, {key(subscribe())}]


def test_streams_without_words_belong_to_what_was_asked_before() -> None:
    first, second = {"op": "subscribe", "args": ["a"]}, {"op": "subscribe", "args": ["b"]}
    stream = plan(
        session(
            1, 0, (5, SENT, first), (10, RECEIVED, "x"), (15, SENT, second), (20, RECEIVED, "y")
        )
    )
    units = [read_asks(json.dumps(one), RULES)[0].units[0] for one in (first, second)]
    assert gates(stream) == [{units[0]}, set(units)]


def test_what_comes_before_a_word_is_said_greets_everybody() -> None:
    stream = plan(
        session(1, 0, (10, RECEIVED, "welcome"), (50, SENT, subscribe()), (60, RECEIVED, "x"))
    )
    (greeting,) = stream.greetings[0]
    assert (greeting.after_ns, greeting.frame) == (8 * MS, frame_of("welcome"))
    assert len(stream.rows) == 1


def test_a_bot_that_only_listens_is_not_greeted() -> None:
    stream = plan(session(1, 0, (10, RECEIVED, "tick")))
    assert stream.greetings == ((),)
    assert len(stream.rows) == 1


def test_only_the_service_hangs_up() -> None:
    end = Close(1, 90 * MS, "upstream", 1012, "restart")
    stream = plan(session(1, 0, (10, RECEIVED, "tick"), close=end))
    assert stream.hangups == (Hangup(90 * MS, 1012, "restart"),)
    mine = plan(session(1, 0, (10, RECEIVED, "tick"), close=replace(end, by="bot")))
    assert mine.hangups == ()


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
    assert key(leave(7)) in stream.answers


def test_pings_come_at_their_time_to_everybody_and_count_for_nobody() -> None:
    ping = Ping(1, 40 * MS, RECEIVED, b"there?")
    stream = plan([*session(1, 0, (30, RECEIVED, "a")), ping, Ping(1, 50 * MS, SENT)])
    assert stream.rows.message.tolist() == [3, PING]
    assert gates(stream) == [set(), set()]
    assert frame_at(stream, 1) == b"\x89\x06there?"
    assert stream.has_pings
    assert not stream.gated


def test_fragments_come_as_they_were_recorded() -> None:
    events = session(1, 0, (30, RECEIVED, "abcdef"))
    assert isinstance(events[3], Message)
    stream = plan([*events[:3], replace(events[3], frames=(1, 2, 3))])
    assert frame_at(stream, 0) == b"\x01\x01a\x00\x02bc\x80\x03def"


def test_a_session_can_be_played_alone() -> None:
    def begun(at: int, subscription: int) -> list[Line]:
        return [(at, SENT, subscribe()), (at + 10, RECEIVED, acknowledge(subscription))]

    both = draft(
        session(1, 0, *begun(10, 7), (30, RECEIVED, "a"), (40, RECEIVED, "c")),
        session(2, 5, *begun(15, 8), (35, RECEIVED, "b")),
    )
    assert pushed(plan_stream(both, 0)) == [(30, "a"), (40, "c")]
    assert pushed(plan_stream(both, 1)) == [(35, "b")]
    assert pushed(plan_stream(both)) == [(30, "a"), (40, "c")]
    assert len(plan_stream(both, 1).answers[key(subscribe())]) == 1


def test_connections_that_end_together_end_a_client_once() -> None:
    ends = [Close(number, (90 + number) * MS, "upstream", 1012) for number in (1, 2)]
    stream = plan(
        session(1, 0, (10, RECEIVED, "a"), close=ends[0]),
        session(2, 5, (10, RECEIVED, "a"), close=ends[1]),
    )
    assert [hangup.at_ns // MS for hangup in stream.hangups] == [91]


def test_topics_whose_messages_came_before_the_answer_are_known() -> None:
    other = subscribe("slotSubscribe", 2)
    stream = plan(
        session(
            1,
            0,
            (10, SENT, subscribe()),
            (11, RECEIVED, {"status": "online"}),
            (20, RECEIVED, acknowledge(7)),
            (25, SENT, other),
            (26, RECEIVED, {"status": "online"}),  # for those who listen already
            (30, RECEIVED, acknowledge(8, 2)),
            (40, RECEIVED, notice("s", 8)),
        )
    )
    assert stream.prompt == {key(subscribe())}
