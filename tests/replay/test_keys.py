from __future__ import annotations

import json

import pytest

from perfscan.replay.keys import Asked, Key, host_and_port, message_key, read_request
from perfscan.replay.model import KeyRule, MatchRules, RequestEffect

JSON_TYPE = (("Content-Type", "application/json"),)
FORM_TYPE = (("content-type", "application/x-www-form-urlencoded"),)


def asked(
    target: str = "/",
    body: object = None,
    rules: MatchRules | None = None,
    headers: tuple[tuple[str, str], ...] = JSON_TYPE,
) -> Asked:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return read_request("POST", "api.example", target, headers, raw, rules or MatchRules())


def key(
    target: str = "/",
    body: object = None,
    rules: MatchRules | None = None,
    headers: tuple[tuple[str, str], ...] = JSON_TYPE,
) -> Key:
    (call,) = asked(target, body, rules, headers).calls
    return call.key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/p?a=1&b=2", "/p?b=2&a=1"),
        ("/p?a=1&timestamp=5&signature=abc&recvWindow=9&nonce=1&_=2", "/p?a=1"),
        ("/p?api_key=0123456789abcdef01234567", "/p?api_key=REDACTED-api-key-01234567"),
        ("/bot123456:AAbbccddeeff/sendMessage", "/botREDACTED-telegram-0a1b2c3d/sendMessage"),
        ("/p%2Fq", "/p/q"),
        ("http://api.example/p?a=1", "/p?a=1"),
        ("http://api.example", "/"),
        ("/p?a=1#here", "/p?a=1"),
    ],
)
def test_the_same_address(one: str, other: str) -> None:
    assert key(one) == key(other)


SOLANA = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/p?a=1", "/p?a=2"),
        ("/p?a=1", "/p?a=1&a=1"),
        ("/p?a=", "/p"),
        ("/p?times=1", "/p?times=2"),
        ("/p", "/p/"),
        ("/P", "/p"),
        (f"/tx?signature={SOLANA}", f"/tx?signature={SOLANA[:-1]}X"),
    ],
)
def test_another_address(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": [1, 2]}, b'{ "b": [1,2], "a": 1 }'),
        ({"a": 1, "timestamp": 1, "signature": "x"}, {"a": 1, "timestamp": 2, "signature": "y"}),
        ({"api_key": "REDACTED-api-key-01234567"}, {"api_key": "0123456789abcdef"}),
    ],
)
def test_the_same_body(one: object, other: object) -> None:
    assert key(body=one) == key(body=other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": [1, 2]}, {"a": [2, 1]}),
        ({"inner": {"timestamp": 1}}, {"inner": {"timestamp": 2}}),
        ({"signature": SOLANA}, {"signature": SOLANA[:-1] + "X"}),
        (None, {}),
        (b"\xff\x00", b"\xff\x01"),
        (b"text", b"other"),
    ],
)
def test_another_body(one: object, other: object) -> None:
    assert key(body=one) != key(body=other)


@pytest.mark.parametrize(
    "target", ["//[", "http://[", "*", "", "?", "/%zz?%zz&&==", "\x00", "//a//b?x=://"]
)
def test_no_target_is_too_odd(target: str) -> None:
    assert key(target) == key(target)


@pytest.mark.parametrize("body", [b"[" * 50_000, b'{"a":"\\ud800"}', b"\xff", b"[1,", b"NaN"])
def test_no_body_is_too_odd(body: bytes) -> None:
    assert key(body=body) == key(body=body)


def test_forms_are_equal_in_any_order() -> None:
    one = key(body=b"chat_id=1&text=a+b&timestamp=1", headers=FORM_TYPE)
    assert one == key(body=b"text=a%20b&chat_id=1&timestamp=2", headers=FORM_TYPE)
    assert one != key(body=b"text=a&chat_id=1", headers=FORM_TYPE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a=1&b=2&b=3", "b=2&a=1&b=3", True),
        ("b=2&b=3", "b=3", False),
        ("b=2&b=3", "b=3&b=2", False),
        ("a=&b=1", "b=1", False),
    ],
)
def test_every_field_of_a_form_counts(one: str, other: str, same: bool) -> None:
    first, second = (key(body=text.encode(), headers=FORM_TYPE) for text in (one, other))
    assert (first == second) is same


def test_a_multipart_boundary_does_not_matter() -> None:
    def sent(boundary: str) -> Key:
        headers = (("Content-Type", f'multipart/form-data; boundary="{boundary}"'),)
        return key(body=f"--{boundary}\r\n\r\nhello\r\n--{boundary}--".encode(), headers=headers)

    assert sent("aaa") == sent("bbbbbb")


def test_the_scenario_may_ignore_more() -> None:
    rules = MatchRules(ignore_query=("Tick",), ignore_body=("$.text", "$.list[*].id"))
    one = {"text": "a", "list": [{"id": 1, "x": 1}, {"id": 2}]}
    other = {"text": "b", "list": [{"id": 3, "x": 1}, {"id": 4}]}
    assert key("/?tick=1", one, rules) == key("/?tick=2", other, rules)
    assert key("/?tick=1", one, rules) != key("/?tick=1", {**one, "chat": 1}, rules)
    assert key("/", {**one, "list": [{"id": 1, "x": 2}]}, rules) != key("/", one, rules)


def test_ignoring_leaves_what_was_asked_alone() -> None:
    rules = MatchRules(ignore_body=("$.text",))
    (one,) = asked("/", {"text": "a"}, rules).calls
    (other,) = asked("/", {"text": "b"}, rules).calls
    assert one.key == other.key
    assert one.exact != other.exact


def test_effects_of_items_are_matched_by_their_key() -> None:
    effect = RequestEffect(("POST https://api.example/*/send",), KeyRule("$.text", r"tx/(\w+)"))
    rules = MatchRules(effect=effect)

    def sent(text: str, target: str = "/bot1/send") -> Key:
        return key(target, {"chat": 1, "text": text}, rules)

    assert sent("see tx/abc") == sent("look at tx/abc!")
    assert sent("see tx/abc") != sent("see tx/abd")
    assert sent("nothing") != sent("something")
    assert sent("see tx/abc", "/bot1/edit") != sent("look at tx/abc!", "/bot1/edit")


def rpc(method: str, *params: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def test_json_rpc_is_matched_by_method_and_parameters() -> None:
    one, other = asked(body=rpc("getTx", "a")), asked(body=rpc("getTx", "a", number="b-2"))
    assert one.calls[0].key == other.calls[0].key
    assert (one.calls[0].rpc_id, other.calls[0].rpc_id) == (1, "b-2")
    assert key(body=rpc("getTx", "a")) != key(body=rpc("getTx", "b"))
    assert key(body=rpc("getTx", "a")) != key(body=rpc("getAsset", "a"))


def test_no_parameters_and_none_are_the_same() -> None:
    bare = {"jsonrpc": "2.0", "id": 1, "method": "getHealth"}
    assert key(body=bare) == key(body=rpc("getHealth"))


def test_a_login_is_the_same_at_any_time() -> None:
    def login(time: str, account: str = "a") -> str:
        fields = {"account": account, "timestamp": time, "sign": time * 3}
        return json.dumps({"op": "login", "id": time, "args": [fields]})

    rules = MatchRules()
    assert message_key(login("1"), rules) == message_key(login("2"), rules)
    assert message_key(login("1"), rules) != message_key(login("1", "b"), rules)
    signed = {"symbol": "A", "timestamp": 1, "signature": "x"}
    one, other = (
        {"id": 1, "method": "order", "params": {**signed, "timestamp": n}} for n in (1, 2)
    )
    assert key(body=one) == key(body=other)
    assert key(body=one) != key(body={**one, "params": {**signed, "symbol": "B"}})


def test_messages_are_told_apart() -> None:
    texts = ["ping", "pong", '"ping"', '{"op":"ping"}', '{"op":"ping","id":1}', b"ping"]
    keys = [message_key(text, MatchRules()) for text in texts]
    assert len(set(keys)) == len(texts) - 1
    assert keys[3] == keys[4]


def test_a_batch_asks_for_each_of_its_elements() -> None:
    batch = asked(body=[rpc("b", number=7), rpc("a", number=8)])
    assert batch.is_batch
    assert [call.key for call in batch.calls] == [key(body=rpc("b")), key(body=rpc("a"))]
    assert [call.rpc_id for call in batch.calls] == [7, 8]


@pytest.mark.parametrize("body", [[], [{"a": 1}], [rpc("a"), 1], {"method": "a"}, {"method": 1}])
def test_other_json_is_one_request(body: object) -> None:
    found = asked(body=body)
    assert not found.is_batch
    assert not found.calls[0].is_rpc


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [("A.example.", 443, "a.example"), ("a.example", 8443, "a.example:8443")],
)
def test_hosts_carry_unusual_ports(host: str, port: int, expected: str) -> None:
    assert host_and_port(host, port, 443) == expected


@pytest.mark.parametrize("levels", [150, 985, 100_000])
def test_a_body_that_is_nested_too_deep_is_text(levels: int) -> None:
    body = b'{"a":' * levels + b"1" + b"}" * levels
    rules = MatchRules(ignore_body=("$..x",))
    assert key("/", body, rules) == key("/", body, rules) != key("/", body + b" ", rules)
    assert message_key(body.decode(), rules) == body.decode()
