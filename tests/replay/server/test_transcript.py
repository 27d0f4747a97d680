from __future__ import annotations

import json

from perfscan.replay.exchanges import WebSocketSession
from perfscan.replay.keys import message_key
from perfscan.replay.model import MatchRules, Message, Open, Request, Response
from perfscan.replay.server.transcript import Transcript, rpc_id_of

RULES = MatchRules()


def transcript(*lines: tuple[str, object]) -> Transcript:
    """Read a session; lines are (``>`` sent or ``<`` received, JSON value or text), 1 us apart."""
    messages = tuple(
        Message(
            1,
            1000 * number,
            "sent" if arrow == ">" else "received",
            value if isinstance(value, str | bytes) else json.dumps(value),
        )
        for number, (arrow, value) in enumerate(lines, start=1)
    )
    session = WebSocketSession(
        Open(1, 0, "https", "a", 443),
        Request(1, 1, 0, "GET", "/"),
        Response(1, 1, 0, 0, 101),
        messages,
        tuple(range(10, 10 + len(messages))),
        None,
    )
    return Transcript(session, RULES)


def test_answers_are_found_by_id_in_any_order() -> None:
    read = transcript(
        (">", {"id": 1, "method": "a"}),
        (">", {"id": "1", "method": "b"}),
        ("<", {"id": "1", "result": "for b"}),
        ("<", {"id": 1, "result": "for a"}),
    )
    assert read.answered == {2: 1, 3: 0}


def test_what_only_looks_like_an_answer_is_none() -> None:
    read = transcript(
        ("<", {"id": 1, "result": "before it was asked"}),
        (">", {"id": 1, "method": "a"}),
        ("<", {"id": 1, "method": "a request of the service"}),
        ("<", {"id": 2, "result": "another id"}),
        ("<", {"id": None}),
        ("<", "text"),
        ("<", b"\x00\xff"),
        ("<", "[1]"),
    )
    assert read.answered == {}


def test_an_id_that_is_used_again_is_answered_again() -> None:
    ask, answer = (">", {"id": 1, "method": "a"}), ("<", {"id": 1, "result": 1})
    assert transcript(ask, answer, ask, answer).answered == {1: 0, 3: 2}
    assert transcript(ask, ask, answer, answer).answered == {2: 0, 3: 1}


def test_a_result_is_a_subscription_only_when_it_pushes() -> None:
    ask = {"id": 1, "method": "logsSubscribe", "params": ["all"]}
    push = {"method": "n", "params": {"subscription": 7}}
    silent = transcript((">", ask), ("<", {"id": 1, "result": 7}))
    assert silent.topics == {}
    pushing = transcript((">", ask), ("<", {"id": 1, "result": 7}), ("<", push))
    assert pushing.topics == {"7": message_key(json.dumps(ask), RULES)}
    boolean = transcript((">", ask), ("<", {"id": 1, "result": True}), ("<", push))
    assert boolean.topics == {}


def test_hexadecimal_subscriptions() -> None:
    ask = {"id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
    push = {"method": "eth_subscription", "params": {"subscription": "0x9c", "result": {}}}
    read = transcript((">", ask), ("<", {"id": 1, "result": "0x9c"}), ("<", push))
    assert list(read.topics) == ['"0x9c"']


def test_ids_of_messages() -> None:
    assert rpc_id_of('{"id": "x"}') == "x"
    assert rpc_id_of('{"a": 1}') is None
    assert rpc_id_of("text") is None
    assert rpc_id_of("[1]") is None
