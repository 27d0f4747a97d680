from __future__ import annotations

import json

import pytest

from perfscan.errors import InputError
from perfscan.replay import items
from perfscan.replay.model import KeyRule, Message, PushStimulus, Request, RequestEffect
from perfscan.replay.stimuli.pushes import push_key

TELEGRAM = "POST https://api.telegram.org/*/sendMessage"


@pytest.mark.parametrize(
    ("method", "url", "fits"),
    [
        ("POST", "https://api.telegram.org/bot1:aa/sendMessage", True),
        ("POST", "https://API.telegram.org/bot1:aa/sendMessage?x=1", True),
        ("GET", "https://api.telegram.org/bot1:aa/sendMessage", False),
        ("POST", "https://api.telegram.org/bot1:aa/sendMessages", False),
        ("POST", "https://api.telegram.org/a/b/sendMessage", False),
        ("POST", "https://api.telegram.org.evil/bot1:aa/sendMessage", False),
        ("POST", "http://api.telegram.org/bot1:aa/sendMessage", False),
        ("POST", "https://apixtelegram.org/bot1:aa/sendMessage", False),
    ],
)
def test_a_request_pattern(method: str, url: str, fits: bool) -> None:
    assert items.request_matches(TELEGRAM, method, url) is fits


def test_a_star_may_stand_for_a_part_of_a_segment() -> None:
    pattern = "GET https://api.example/v*/tokens/*/report"
    assert items.request_matches(pattern, "GET", "https://api.example/v12/tokens/a/report")
    assert not items.request_matches(pattern, "GET", "https://api.example/v1/tokens/report")


def test_no_path_and_a_slash_are_the_same() -> None:
    assert items.request_matches("POST https://rpc.example", "POST", "https://rpc.example/?key=1")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://A.example", "wss://a.example/"),
        ("wss://a.example/?key=1#x", "wss://a.example/"),
        ("https://a.example:8443/P?a=/b", "https://a.example:8443/P"),
        ("https://[", "https://[/"),
    ],
)
def test_urls_without_query(url: str, expected: str) -> None:
    assert items.without_query(url) == expected


def received(text: str) -> Message:
    return Message(1, 0, "received", text)


def logs(signature: object) -> Message:
    value = {"params": {"result": {"value": {"signature": signature, "logs": ["initialize2"]}}}}
    return received(json.dumps(value))


def stimulus(containing: str | None = None) -> PushStimulus:
    key = KeyRule(path="$.params.result.value.signature")
    return PushStimulus("wss://rpc.example/", key, containing)


def test_a_stimulus_has_its_key() -> None:
    assert push_key(stimulus("initialize2"), logs("5abc")) == "5abc"


@pytest.mark.parametrize(
    "message",
    [
        received('{"jsonrpc":"2.0","result":24040,"id":1}'),
        received("not json"),
        received("[]"),
        received('"5abc"'),
        logs(None),
        Message(1, 0, "sent", logs("5abc").data),
    ],
)
def test_other_messages_have_none(message: Message) -> None:
    assert push_key(stimulus(), message) is None


def test_a_stimulus_may_have_to_contain_something() -> None:
    assert push_key(stimulus("initialize3"), logs("5abc")) is None


def test_binary_messages_are_read_as_text() -> None:
    data = str(logs("5abc").data).encode()
    assert push_key(stimulus(), Message(1, 0, "received", data)) == "5abc"


def request(body: str = "", target: str = "/", kind: str = "application/json") -> Request:
    return Request(1, 1, 0, "POST", target, (("Content-Type", kind),), body.encode())


@pytest.mark.parametrize(
    ("rule", "sent", "key"),
    [
        (KeyRule("$.text", r"tx/(\w+)"), request('{"text": "see tx/5abc now"}'), "5abc"),
        (KeyRule("$.text", r"tx/\w+"), request('{"text": "see tx/5abc now"}'), "tx/5abc"),
        (KeyRule("$.text", r"tx/(\w+)"), request('{"text": "nothing"}'), None),
        (KeyRule("$.text", r"tx/(\w+)"), request('{"note": "tx/5abc"}'), None),
        (KeyRule(None, r"tx/(\w+)"), request('{"note": "tx/5abc"}'), "5abc"),
        (KeyRule("$.order.id"), request('{"order": {"id": 17}}'), "17"),
        (
            KeyRule("$.text"),
            request("text=a+b&chat_id=1", kind="application/x-www-form-urlencoded"),
            "a b",
        ),
        (KeyRule("$.text"), request("text=a+b&chat_id=1", kind="text/plain"), None),
        (KeyRule("$.text"), request(target="/send?text=a%20b"), "a b"),
        (KeyRule(None, "text=(.*)"), request("text=plain", kind="text/plain"), "plain"),
    ],
)
def test_an_effect_has_its_key(rule: KeyRule, sent: Request, key: str | None) -> None:
    assert items.effect_key(RequestEffect((TELEGRAM,), rule), sent) == key


def test_a_bad_path_is_an_error() -> None:
    with pytest.raises(InputError, match="not a JSONPath"):
        items.values_at("$.[", {})


def test_a_bad_pattern_is_an_error() -> None:
    with pytest.raises(InputError, match="not a regular expression"):
        push_key(stimulus("("), logs("5abc"))


def test_locations_are_keys_and_indices() -> None:
    payload = {"a": [{"b": 1}, {"c": 2}, {"b": 3}]}
    assert items.locations("$.a[*].b", payload) == [("a", 0, "b"), ("a", 2, "b")]
    assert items.locations("$.a", "text") == []


def test_a_payload_that_is_nested_too_deep_has_no_key() -> None:
    rule = RequestEffect(("POST https://h/",), KeyRule("$..id"))
    body = b'{"a":' * 200 + b"1" + b"}" * 200
    assert items.effect_key(rule, Request(0, 0, 0, "POST", "/", (), body)) is None


def test_all_texts_of_a_payload_are_read_as_they_are() -> None:
    payload = {"chat": 1, "text": 'say "no"', "more": [{"a": "later"}, None, 2.0], "": ""}

    assert items.all_text(payload) == 'say "no"\nlater'
    assert items.all_text("plain") == "plain"
    assert items.all_text(None) == ""
