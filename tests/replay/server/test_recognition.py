from __future__ import annotations

import pytest

from perfscan.replay.model import (
    Headers,
    ItemRules,
    KeyRule,
    MatchRules,
    PushStimulus,
    Request,
    RequestEffect,
)
from perfscan.replay.server.recognition import REMEMBERED_REQUEST, Heard, Recognition
from perfscan.replay.wire import HttpRequest

ITEMS = ItemRules(
    PushStimulus("wss://feed.example/", KeyRule(path="$.key")),
    RequestEffect(("POST https://api.example/send",), KeyRule(path="$.key")),
)


def recognition(port: int | None = 443, items: ItemRules | None = None) -> Recognition:
    return Recognition("https", port, MatchRules(), items, lambda _: None)


def heard(headers: Headers, *, old: bool = False, port: int | None = 443) -> Heard:
    return recognition(port).read(HttpRequest("GET", "/a", headers), old=old)


@pytest.mark.parametrize(
    ("named", "port", "name", "host"),
    [
        ("API.example", 443, "api.example", "api.example"),
        ("api.example:8443", 8443, "api.example", "api.example:8443"),
        ("[::1]:443", None, "::1", "::1"),
        ("", 443, "", ""),
    ],
)
def test_hosts_are_read_from_the_header_and_the_door(
    named: str, port: int | None, name: str, host: str
) -> None:
    one = heard((("Host", named),), port=port)
    assert (one.name, one.host) == (name, host)


@pytest.mark.parametrize(
    ("connection", "old", "last"),
    [("", False, False), ("close", False, True), ("", True, True), ("Keep-Alive", True, False)],
)
def test_who_wants_to_go_is_let_go(connection: str, old: bool, last: bool) -> None:
    assert heard((("Connection", connection),), old=old).last is last


def test_a_websocket_is_told_from_other_offers() -> None:
    assert heard((("upgrade", "WebSocket"),)).websocket
    assert not heard((("Upgrade", "h2c"),)).websocket


def test_distinct_requests_are_reported_and_numbered() -> None:
    reported: list[Heard] = []
    door = Recognition("http", 80, MatchRules(), None, reported.append)
    read = [door.read(HttpRequest("GET", target, ()), old=False) for target in ("/a", "/b")]
    assert reported == read
    assert read[0].number < read[1].number
    assert read[0].as_request(7, 8, 9) == Request(7, 8, 9, "GET", "/a")


def test_bytes_are_remembered_unless_there_are_many() -> None:
    door = recognition()
    one = door.read(HttpRequest("GET", "/a", ()), old=False)
    door.remember(b"few", one)
    door.remember(b"x" * (REMEMBERED_REQUEST + 1), one)
    assert door.recall(b"few") is one
    assert door.recall(b"x" * (REMEMBERED_REQUEST + 1)) is None
    assert recognition().recall(b"few") is None


@pytest.mark.parametrize(
    ("target", "body", "effect"),
    [("/send", b'{"key": "k1"}', "k1"), ("/other", b'{"key": "k1"}', None), ("/send", b"{}", None)],
)
def test_what_ends_an_item_is_known_at_once(target: str, body: bytes, effect: str | None) -> None:
    request = HttpRequest("POST", target, (("Host", "api.example"),), body)
    assert recognition(items=ITEMS).read(request, old=False).effect == effect
