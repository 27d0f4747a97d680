"""One connection with fake transport and clock; real sockets are in tests/endtoend."""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire.wire_talk import MS, exchange, get, line

from perfscan.replay.model import (
    Close,
    CycleEffect,
    CycleStimulus,
    Event,
    Failure,
    ItemRules,
    MatchRules,
    Observation,
    Open,
    Request,
    Response,
    Served,
)
from perfscan.replay.server.http_connection import QUEUE_LIMIT
from perfscan.replay.stimuli.cycles import cycles_of

OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok"


def test_the_same_bytes_are_read_once_and_answered_each_time() -> None:
    client = line(*exchange(1, "/a", b"1"), *exchange(2, "/a", b"2"))
    answers = [client.send(get("/a"))[-1:] for _ in range(4)]
    assert answers == [b"1", b"2", b"2", b"2"]
    assert [served.outcome for served in client.of(Served)] == ["hit", "hit", "extra", "extra"]
    assert [request.exchange for request in client.of(Request)] == [1, 2, 3, 4]


@pytest.mark.parametrize("size", [1, 7, 40])
def test_a_request_in_pieces_is_the_same_request(size: int) -> None:
    client = line(*exchange(1, "/a"))
    data = get("/a")
    assert client.send(data) == OK
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(map(client.send, pieces)) == OK
    assert client.send(data) == OK


def test_bytes_that_look_like_a_request_within_a_body_are_none() -> None:
    client = line(*exchange(1, "/a"), *exchange(2, "/send", method="POST", sent=get("/a")))
    assert client.send(get("/a")) == OK
    body = get("/a")
    assert client.send(get("/send", f"Content-Length: {len(body)}", method="POST")) == b""
    assert client.send(body) == OK
    assert [request.target for request in client.of(Request)] == ["/a", "/send"]


def test_a_known_request_waits_for_its_turn() -> None:
    client = line(*exchange(1, "/slow", b"slow", took_ms=50), *exchange(2, "/a"))
    assert client.send(get("/slow") + get("/a")) == b""
    assert client.send(get("/a")) == b""
    client.alarm.run_to(49)
    assert client.take() == b""
    client.alarm.run_to(50)
    assert client.take().endswith(b"slow" + OK + OK)


@pytest.mark.parametrize(("asked", "recorded", "heard"), [(True, False, 1), (False, True, 2)])
def test_nothing_is_sent_after_the_last_answer(asked: bool, recorded: bool, heard: int) -> None:
    close = ("Connection", "close")
    client = line(*exchange(1, "/a", headers=(close,) if recorded else ()))
    first = get("/a", *(["Connection: close"] if asked else []))
    answer = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert client.send(first + get("/a")) == answer
    assert client.transport.closing
    client.lose()
    assert len(client.of(Request)) == heard
    assert len(client.of(Served)) == 1
    assert client.playback.status()["in_flight"] == 0


def test_what_cannot_be_read_is_refused_in_its_turn() -> None:
    client = line(*exchange(1, "/slow", b"slow", took_ms=50))
    assert client.send(get("/slow") + b"\0 nonsense\r\n\r\n") == b""
    assert client.send(get("/slow")) == b""
    client.alarm.run_to(50)
    answered, _, refused = client.take().partition(b"slow")
    assert answered.startswith(b"HTTP/1.1 200")
    assert refused.startswith(b"HTTP/1.1 400")
    assert client.transport.closing
    assert [failure.detail[:21] for failure in client.of(Failure)] == ["not HTTP from the bot"]


def test_requests_without_answer_are_reported_when_the_connection_is_gone() -> None:
    client = line(*exchange(1, "/slow", took_ms=50))
    client.send(get("/slow"))
    assert client.playback.status()["in_flight"] == 1
    assert client.of(Request) == []
    client.lose()
    assert (len(client.of(Request)), client.of(Response)) == (1, [])
    assert client.playback.status()["in_flight"] == 0
    client.alarm.run_to(60)
    assert isinstance(client.seen[-1], Close)


def test_a_client_that_only_asks_is_not_read_any_further() -> None:
    client = line(*exchange(1, "/slow", took_ms=50))
    for _ in range(QUEUE_LIMIT):
        client.send(get("/slow"))
    assert client.transport.paused
    client.alarm.run_to(50)
    assert not client.transport.paused
    assert client.take().count(b"ok") == QUEUE_LIMIT


def test_a_connection_pays_for_its_opening_once() -> None:
    opened, *rest = exchange(1, "/a", took_ms=5)
    assert isinstance(opened, Open)
    opened = Open(1, opened.at_ns, "http", "api.example", 80, connect_ns=40_000_000)
    client = line(opened, *rest)
    assert client.send(get("/a")) == b""
    client.alarm.run_to(44)
    assert client.take() == b""
    client.alarm.run_to(45)
    assert client.take() == OK
    client.send(get("/a"))
    client.alarm.run_to(50)
    assert client.take() == OK


def test_head_redirects_and_cookies_are_as_recorded() -> None:
    cookies = (("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2; HttpOnly"))
    client = line(
        *exchange(1, "/a", b"", method="HEAD", headers=(("Content-Length", "77"),)),
        *exchange(2, "/old", b"", status=302, headers=(("Location", "https://api.example/new"),)),
        *exchange(3, "/login", b"in", headers=cookies),
    )
    head = client.send(get("/a", method="HEAD"))
    assert head == b"HTTP/1.1 200 Fine\r\nContent-Length: 77\r\n\r\n"
    moved = client.send(get("/old"))
    assert moved.startswith(b"HTTP/1.1 302 Fine\r\nLocation: https://api.example/new\r\n")
    assert moved.endswith(b"Content-Length: 0\r\n\r\n")
    login = client.send(get("/login"))
    assert login.count(b"Set-Cookie: ") == 2
    assert b"Set-Cookie: b=2; HttpOnly\r\n" in login


def test_by_time_the_run_is_as_far_as_the_recording_was() -> None:
    rules = MatchRules(modes=(("GET http://api.example/price", "by-time"),))
    prices = [event for number in (1, 2, 3) for event in exchange(number, "/price", b"%d" % number)]
    client = line(*prices, rules=rules, speed=2.0)
    client.alarm.run_to(7000)
    found = [client.send(get("/price"))[-1:]]
    for moment_ms in (7400, 7600, 9000):
        client.alarm.run_to(moment_ms)
        found.append(client.send(get("/price"))[-1:])
    assert found == [b"1", b"1", b"2", b"3"]


def test_http_1_0_closes_unless_asked_to_stay() -> None:
    client = line(*exchange(1, "/a"))
    client.send(get("/a", "Connection: keep-alive", version="1.0"))
    assert not client.transport.closing
    client.send(get("/a"))
    assert not client.transport.closing
    client.send(get("/a", version="1.0"))
    assert client.transport.closing


# --- What nobody should send ----------------------------------------------------------------------

TRAFFIC: tuple[Event, ...] = (
    *exchange(1, "/a"),
    *exchange(2, "/send", method="POST", sent=b"hello world"),
)
WHOLE = [
    get("/a"),
    get("/send", "Content-Length: 11", method="POST") + b"hello world",
    get("/send", "Transfer-Encoding: chunked", method="POST") + b"b\r\nhello world\r\n0\r\n\r\n",
    get("/a", "Upgrade: h2c", "Connection: Upgrade"),
    get("/a", "Expect: 100-continue", "Content-Length: 2", method="PUT") + b"{}",
]
TOKENS = st.sampled_from(
    [
        *(b"GET ", b"/a", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Host: x", b"Content-Length: "),
        *(b"-1", b"99999999999999999999", b"Transfer-Encoding: chunked", b"ffffffffffffffffff\r\n"),
        *(b"Upgrade: websocket", b"Connection: Upgrade", b"HTTP/9.9", b"://[", b"%ff%zz", b"\0"),
    ]
)


CUTS = st.lists(st.integers(0, 400), max_size=4)


def damaged(rng: random.Random) -> bytes:
    """Return requests with bytes changed, left out and put in."""
    data = bytearray(b"".join(rng.choices(WHOLE, k=rng.randint(1, 3))))
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(data))
        data[at : at + rng.randint(0, 5)] = rng.randbytes(rng.randint(0, 4))
    return bytes(data)


SERVER = line(*TRAFFIC, latency="not recorded")


def talk(data: bytes, cuts: list[int]) -> None:
    """Send ``data`` in pieces; whatever it is, every answer is HTTP and every end is told."""
    client = SERVER.another()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    answers = b"".join(client.send(data[begin:end]) for begin, end in pairwise(edges))
    assert not answers or answers.startswith(b"HTTP/1.1 ")
    refused = answers.rpartition(b"HTTP/1.1 ")[2][:3] in (b"400", b"413", b"431")
    assert client.transport.closing or not refused
    for failure in client.of(Failure):
        assert "\n" not in failure.detail
    client.lose()
    assert client.playback.status()["in_flight"] == 0
    assert isinstance(client.seen[-1], Close)
    assert len(client.of(Open)) == 1


@pytest.mark.parametrize("seed", range(6))
def test_damaged_requests_are_refused_or_answered(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(500):
        talk(damaged(rng), rng.choices(range(400), k=rng.randint(0, 4)))


@settings(max_examples=400, deadline=None)
@example([b"GET //[ HTTP/1.1\r\nHost: [::1\r\n\r\n"], [])
@given(st.lists(TOKENS | st.binary(max_size=6), max_size=20), CUTS)
def test_random_bytes_are_refused_or_answered(parts: list[bytes], cuts: list[int]) -> None:
    talk(b"".join(parts), cuts)


ROUND = CycleStimulus(("GET http://api.example/tickers",), pause_s=1.0)
BY_CYCLE = MatchRules(modes=(("GET http://api.example/a", "by-cycle"),), cycle=ROUND)
A_CYCLE = CycleEffect(("GET http://api.example/a",))
CYCLES = ItemRules(ROUND, A_CYCLE)


def test_a_cycle_begins_after_a_silence_in_which_nothing_is_under_way() -> None:
    recorded = [exchange(10 * n + k, "/a", b"%d.%d" % (n, k)) for n in (1, 2) for k in (1, 2)]
    begins = [exchange(10 * n, "/tickers") for n in (1, 2)]
    slow = exchange(26, "/slow", took_ms=2_000)
    events = [event for one in (*recorded, *begins, slow) for event in one]
    client = line(*events, rules=BY_CYCLE, items=CYCLES)

    def told(*targets: str) -> list[bytes]:
        return [client.send(get(target)).rpartition(b"\r\n")[2] for target in targets]

    assert told("/tickers", "/a", "/a", "/a") == [b"ok", b"1.1", b"1.2", b"1.2"]
    assert client.playback.status()["cycles"] == 1
    client.alarm.run_to(999)
    assert told("/tickers", "/a") == [b"ok", b"1.2"], "the silence was too short"
    waiting = client.another()
    waiting.send(get("/slow"))
    client.alarm.run_to(2_500)
    assert told("/tickers", "/a") == [b"ok", b"1.2"], "a request was under way"
    client.alarm.run_to(4_100)
    assert told("/tickers", "/a", "/a", "/a") == [b"ok", b"2.1", b"2.2", b"2.2"]
    client.alarm.run_to(6_000)
    assert told("/tickers", "/a") == [b"ok", b"2.2"]
    assert client.playback.status()["cycles"] == 3


def test_a_request_that_nobody_waits_for_any_more_is_not_under_way() -> None:
    recorded = [exchange(10 * n + 1, "/a", b"%d" % n) for n in (1, 2)]
    begins = [exchange(10 * n, "/tickers") for n in (1, 2)]
    slow = exchange(25, "/slow", took_ms=60_000)
    events = [event for one in (*recorded, *begins, slow) for event in one]
    client = line(*events, rules=BY_CYCLE, items=CYCLES)
    client.send(get("/tickers"))
    waiting = client.another()
    waiting.send(get("/slow"))
    client.alarm.run_to(500)
    waiting.lose()
    client.alarm.run_to(1_100)
    client.send(get("/tickers"))

    assert client.send(get("/a")).endswith(b"2")


def test_a_cycle_of_which_an_outage_cut_a_request_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = "perfscan.replay.server.http_connection"
    monkeypatch.setattr(f"{module}.reset_on_close", lambda transport: None)
    recorded = [exchange(10 * n + 1, "/a", b"%d" % n) for n in (1, 2)]
    begins = [exchange(10 * n, "/tickers") for n in (1, 2)]
    slow = exchange(25, "/slow", took_ms=60_000)
    events = [event for one in (*recorded, *begins, slow) for event in one]
    client = line(*events, rules=BY_CYCLE, items=CYCLES)
    client.send(get("/tickers"))
    waiting = client.another()
    waiting.send(get("/slow"))
    waiting.connection.reset()
    waiting.lose()
    client.alarm.run_to(1_100)
    client.send(get("/tickers"))

    assert client.send(get("/a")).endswith(b"1")
    assert client.playback.status()["cycles"] == 1


LONG = b"[" + b", ".join(b'{"ticket": %d}' % number for number in range(100)) + b"]"


@pytest.mark.parametrize(
    ("target", "accepts", "coded"),
    [
        ("/tickets", "gzip, deflate", True),
        ("/tickets", "identity", False),
        ("/tickets", "gzip;q=0", False),
        ("/short", "gzip", False),
        ("/other/tickets", "gzip", False),
    ],
)
def test_a_service_compresses_for_who_accepts_it(target: str, accepts: str, coded: bool) -> None:
    events = [
        *exchange(1, "/tickets", LONG),
        *exchange(2, "/short"),
        *exchange(3, "/other/tickets", LONG),
    ]
    client = line(*events, compresses=("GET http://api.example/*",))
    head, _, body = client.send(get(target, f"Accept-Encoding: {accepts}")).partition(b"\r\n\r\n")
    plain = b"ok" if target == "/short" else LONG

    assert (b"Content-Encoding: gzip" in head) == coded
    assert (gzip.decompress(body) if coded else body) == plain
    assert b"Content-Length: %d" % len(body) in head
    (served,) = client.of(Served)
    assert served.size == len(plain)
    assert served.written == len(head) + 4 + len(body)


def test_a_recorded_coding_that_nobody_can_read_is_left_as_it_is() -> None:
    coded = exchange(1, "/a", LONG, headers=(("Content-Encoding", "strange"),))
    client = line(*coded, compresses=("GET http://api.example/*",))

    assert client.send(get("/a", "Accept-Encoding: gzip")).endswith(LONG)


@pytest.mark.parametrize("target", ["/slow", "/again"])
def test_what_goes_out_is_counted_whole(target: str) -> None:
    slow = exchange(1, "/slow", b"x" * 50)
    slow[-1] = replace(slow[-1], end_ns=slow[-1].at_ns + 20 * MS)
    client = line(*slow, *exchange(2, "/again", b"x" * 50))
    sent = client.send(get(target))
    client.alarm.run_to(30)
    sent += client.take()

    (served,) = client.of(Served)
    assert (served.size, served.written) == (50, len(sent))


@pytest.mark.parametrize(("cut", "cycle"), [(True, b"1"), (False, b"2")])
def test_a_cycle_goes_on_where_the_service_cut_a_request_and_not_where_the_bot_did(
    cut: bool, cycle: bytes
) -> None:
    recorded = [exchange(10 * n + 1, "/a", b"%d" % n) for n in (1, 2)]
    begins = [exchange(10 * n, "/tickers") for n in (1, 2)]
    slow = exchange(25, "/slow", took_ms=60_000)
    events = [event for one in (*recorded, *begins, slow) for event in one]
    client = line(*events, rules=BY_CYCLE, items=CYCLES)
    client.send(get("/tickers"))
    before = [*client.seen]
    waiting = client.another()
    waiting.send(get("/slow"))
    if cut:
        waiting.connection.abort()
    waiting.lose()
    client.alarm.run_to(1_100)
    client.send(get("/tickers"))

    assert client.send(get("/a")).endswith(cycle)
    seen = Observation((*before, *client.seen))
    assert len(cycles_of(seen, ROUND, A_CYCLE)) == int(cycle), "the record says the same"
