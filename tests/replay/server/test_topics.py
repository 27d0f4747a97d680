"""Subscriptions as the services of the field word them, each with messages for its topics."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire.talk import RECEIVED, RULES, SENT, gates, plan, session

from perfscan.replay.model import MatchRules, TopicRule
from perfscan.replay.server.subscriptions import read_asks
from perfscan.replay.server.topics import Vocabulary


def told(
    asks: list[Any], *messages: object, rules: MatchRules = RULES
) -> list[list[tuple[int, int]]]:
    """Return for each message whom it belongs to: places of the subscription and of its topic."""
    sent = [(10 + number, SENT, ask) for number, ask in enumerate(asks)]
    received = [(1000 + number, RECEIVED, message) for number, message in enumerate(messages)]
    places = {
        unit: (number, place)
        for number, ask in enumerate(asks)
        for place, unit in enumerate(read_asks(json.dumps(ask), rules)[0].units)
    }
    stream = plan(session(1, 0, *sent, *received), rules=rules)
    return [sorted(places[unit] for unit in gate) for gate in gates(stream)]


def test_the_topic_as_a_whole() -> None:
    args = ["orderbook.50.BTCUSDT", "orderbook.50.ETHUSDT", "publicTrade.BTCUSDT"]
    assert told(
        [{"op": "subscribe", "args": args}],
        {"topic": "orderbook.50.ETHUSDT", "type": "snapshot", "data": {"s": "ETHUSDT"}},
        {"topic": "publicTrade.BTCUSDT", "data": [{"s": "BTCUSDT", "p": "1"}]},
        {"topic": "orderbook.50.BTCUSDT", "type": "delta", "data": {}},
    ) == [[(0, 1)], [(0, 2)], [(0, 0)]]


def test_a_topic_may_be_a_number_in_quotes() -> None:
    assert told(
        [{"op": "subscribe", "args": ["1001", "1002"]}],
        {"topic": "1002", "price": "1.25"},
        {"topic": "1001", "price": "1.25"},
    ) == [[(0, 1)], [(0, 0)]]


def test_a_wrapper_names_the_topic() -> None:
    assert told(
        [
            {"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@depth"], "id": 1},
            {"method": "SUBSCRIBE", "params": ["ethusdt@trade"], "id": 2},
        ],
        {"stream": "ethusdt@trade", "data": {"e": "trade", "s": "ETHUSDT"}},
        {"stream": "btcusdt@depth", "data": {"e": "depthUpdate", "s": "BTCUSDT"}},
    ) == [[(1, 0)], [(0, 1)]]


def test_the_topic_in_words() -> None:
    """Nothing says ``btcusdt@depth`` here, and the best price says not even what it is."""
    params = ["btcusdt@trade", "btcusdt@depth", "btcusdt@bookTicker", "ethusdt@trade"]
    assert told(
        [{"method": "SUBSCRIBE", "params": params, "id": 1}],
        {"e": "trade", "E": 1, "s": "BTCUSDT", "p": "0.1"},
        {"e": "depthUpdate", "E": 2, "s": "BTCUSDT", "b": [["1", "2"]]},
        {"u": 3, "s": "BTCUSDT", "b": "1", "B": "2"},
        {"e": "trade", "s": "ETHUSDT"},
    ) == [[(0, 0)], [(0, 1)], [(0, 2)], [(0, 3)]]


def test_the_topic_in_two_places_of_an_array() -> None:
    def asked(name: str) -> object:
        return {
            "event": "subscribe",
            "pair": ["XBT/USD", "ETH/USD"],
            "subscription": {"name": name},
        }

    assert told(
        [asked("trade"), asked("ticker")],
        [0, [["5541.2", "0.1", "1534614057.3", "s", "l", ""]], "trade", "ETH/USD"],
        [7, {"a": ["1", 1, "1"]}, "ticker", "XBT/USD"],
        {"event": "heartbeat"},
    ) == [[(0, 1)], [(1, 0)], [(0, 0), (0, 1), (1, 0), (1, 1)]]


def test_a_product_of_two_lists_with_a_name_that_no_message_repeats() -> None:
    ask = {
        "type": "subscribe",
        "product_ids": ["BTC-USD", "ETH-USD"],
        "channels": ["level2", "ticker"],
    }
    assert told(
        [ask],
        {"type": "ticker", "product_id": "ETH-USD", "price": "1"},
        {"type": "ticker", "product_id": "BTC-USD", "price": "1"},
        {"type": "l2update", "product_id": "BTC-USD", "changes": []},
    ) == [[(0, 3)], [(0, 1)], [(0, 0)]]


def test_objects_as_topics() -> None:
    args = [{"channel": "tickers", "instId": one} for one in ("BTC-USDT", "ETH-USDT")]
    assert told(
        [{"op": "subscribe", "args": args}],
        {"arg": {"channel": "tickers", "instId": "ETH-USDT"}, "data": [{"last": "1"}]},
    ) == [[(0, 1)]]


def test_names_inside_the_data() -> None:
    asks = [
        {"method": "subscribe", "subscription": {"type": kind, "coin": coin}}
        for kind in ("trades", "l2Book")
        for coin in ("BTC", "ETH")
    ]
    assert told(
        asks,
        {"channel": "trades", "data": [{"coin": "ETH", "px": "1"}, {"coin": "ETH", "px": "2"}]},
        {"channel": "l2Book", "data": {"coin": "BTC", "levels": []}},
    ) == [[(1, 0)], [(2, 0)]]


def test_other_punctuation() -> None:
    ask = {"channel": "spot.tickers", "event": "subscribe", "payload": ["BTC_USDT", "GT_USDT"]}
    message = {"channel": "spot.tickers", "event": "update", "result": {"pair": "GT/USDT"}}
    assert told([ask], message) == [[(0, 1)]]


def test_who_was_not_subscribed_yet_is_not_meant() -> None:
    stream = plan(
        session(
            1,
            0,
            (10, SENT, {"op": "subscribe", "args": ["a.x"]}),
            (20, RECEIVED, {"t": "x"}),
            (30, SENT, {"op": "subscribe", "args": ["b.x"]}),
            (40, RECEIVED, {"t": "x"}),
            (50, SENT, {"op": "unsubscribe", "args": ["a.x"]}),
            (60, RECEIVED, {"t": "x"}),
        )
    )
    assert list(map(len, gates(stream))) == [1, 2, 1]
    assert gates(stream)[0] | gates(stream)[2] == gates(stream)[1]


def test_a_scenario_says_where_topics_stand() -> None:
    """One stream is named by a number that its subscription gives another name."""
    ask = {"op": "subscribe", "want": [{"feed": 1}, {"feed": 2}]}
    message = {"feed_of": "2", "other": "1"}
    rules = MatchRules(topics=(TopicRule("$.want[*].feed", "$.feed_of"),))
    assert told([ask], message, rules=rules) == [[(0, 1)]]


@pytest.mark.parametrize("data", [b"binary", "text", "", '{"a', "[]", '{"a":"\\"}'])
def test_what_is_no_json_holds_no_words(data: str | bytes) -> None:
    vocabulary = Vocabulary(RULES)
    vocabulary.learn(['{"args":["topic"]}'])
    assert vocabulary.signature(data) == frozenset()
