from __future__ import annotations

import json

import pytest
from wire.talk import RULES

from perfscan.replay.keys import Key
from perfscan.replay.model import MatchRules, TopicRule
from perfscan.replay.server.subscriptions import Ask, address_units, read_asks


def ask(payload: object, rules: MatchRules = RULES) -> Ask:
    (found,) = read_asks(payload if isinstance(payload, str) else json.dumps(payload), rules)
    return found


@pytest.mark.parametrize(
    ("message", "units"),
    [
        ({"method": "SUBSCRIBE", "params": ["a", "b"], "id": 1}, 2),
        ({"op": "subscribe", "args": ["a", "b", "c"]}, 3),
        (
            {"op": "subscribe", "args": [{"channel": "x", "id": "1"}, {"channel": "y", "id": "2"}]},
            2,
        ),
        ({"event": "subscribe", "pair": ["A", "B"], "subscription": {"name": "t"}}, 2),
        ({"type": "subscribe", "product_ids": ["A", "B"], "channels": ["x", "y"]}, 4),
        ({"type": "subscribe", "topic": "/market/ticker:BTC-USDT,ETH-USDT"}, 2),
        ({"jsonrpc": "2.0", "method": "public/subscribe", "params": {"channels": ["a", "b"]}}, 2),
        ({"jsonrpc": "2.0", "method": "logsSubscribe", "params": ["a", "b"]}, 1),
        ({"method": "subscribe", "params": ["a", {"deep": 1}]}, 1),
        ({"method": "getTrades", "params": ["a", "b"]}, 1),
        ("plain text", 1),
    ],
)
def test_lists_of_topics_are_divided(message: object, units: int) -> None:
    assert len(ask(message).units) == units


def test_a_portion_of_a_subscription_is_known_by_its_topics() -> None:
    whole = ask({"method": "SUBSCRIBE", "params": ["a", "b"], "id": 1})
    parts = [ask({"method": "SUBSCRIBE", "params": [one], "id": 7}) for one in "ab"]
    assert whole.units == tuple(part.units[0] for part in parts)
    assert (whole.id_key, whole.rpc_id) == ("id", 1)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ({"op": "subscribe", "args": ["a"]}, {"op": "unsubscribe", "args": ["a"]}),
        ({"method": "SUBSCRIBE", "params": ["a"]}, {"method": "UNSUBSCRIBE", "params": ["a"]}),
        ({"sub": "market.a"}, {"unsub": "market.a"}),
    ],
)
def test_what_ends_a_subscription_names_it(begin: object, end: object) -> None:
    begun, ended = ask(begin), ask(end)
    assert begun.subscribes
    assert not ended.subscribes
    assert ended.leaves == begun.units
    assert ended.units != begun.units


def test_ids_of_subscriptions_are_replaced_by_the_common_ones() -> None:
    leave = {"jsonrpc": "2.0", "id": 2, "method": "logsUnsubscribe", "params": [8]}
    (left,) = read_asks(json.dumps(leave), RULES, {"8": "7"})
    assert left.key == ask(leave | {"params": [7]}).key
    assert "7" in left.named


def test_a_message_that_would_be_too_many_is_one() -> None:
    many = [str(number) for number in range(100)]
    message = {"op": "subscribe", "a": many, "b": many}
    assert len(ask(message).units) == 1


def test_a_batch_is_many() -> None:
    call = {"jsonrpc": "2.0", "method": "m", "params": [], "id": 1}
    assert len(read_asks(json.dumps([call, call]), RULES)) == 2


def test_a_scenario_may_say_where_topics_stand() -> None:
    rules = MatchRules(topics=(TopicRule("$.want.*.name", "$.from"),))
    message = {"op": "subscribe", "want": {"x": {"name": "a"}, "y": {"name": "b"}}}
    assert ask(message, rules).units == ('subscribe "a"', 'subscribe "b"')


@pytest.mark.parametrize(
    ("path", "query", "units"),
    [
        ("/ws", (), ("/ws",)),
        ("/v3/public", (("key", "x"),), ("/v3/public?key=x",)),
        ("/stream", (("streams", "a/b"),), ("/stream?streams=a", "/stream?streams=b")),
        ("/ws/btc@trade/eth@trade", (), ("/ws/btc@trade", "/ws/eth@trade")),
    ],
)
def test_topics_of_addresses(
    path: str, query: tuple[tuple[str, str], ...], units: tuple[str, ...]
) -> None:
    assert address_units(Key("WEBSOCKET", "a.example", path, query)) == units
