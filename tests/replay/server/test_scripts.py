"""How answers go over the wire: pure, as bytes and times."""

from __future__ import annotations

import zlib
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfscan.replay.server.answers import Answer, Pieces
from perfscan.replay.server.dice import Damage
from perfscan.replay.server.scripts import Script, Wanted, script, trickle

MS = 1_000_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = b'{"price": 100, "size": 3}'
Form = dict[str, Any]
PLAIN: Form = {}


def form(encoding: str = "", pieces: Pieces = (), chunked: bool = False) -> Form:
    return {"encoding": encoding, "pieces": pieces, "chunked": chunked}


def written(
    how: Form = PLAIN, body: bytes = BODY, *, damage: Damage | None = None, **values: Any
) -> Script:
    answer = Answer("hit", 1, values.pop("status", 200), "OK", (), body, damage=damage, **how)
    wanted = Wanted(**{"method": "GET", **values})
    return script(answer, wanted, HEAD, lambda ns: ns)


class Client:
    """Reads an answer as httptools does."""

    def __init__(self) -> None:
        self.body, self.complete = b"", False
        self.headers: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def read(one: Script) -> Client:
    client = Client()
    parser = httptools.HttpResponseParser(client)
    for _, data in one.parts:
        parser.feed_data(data)
    return client


def test_a_body_that_came_at_once_is_one_write() -> None:
    one = written()
    assert one.parts == ((0, HEAD + b"Content-Length: 25\r\n\r\n" + BODY),)
    assert (one.end, one.size) == ("keep", 25)


def test_pieces_come_at_their_times() -> None:
    one = written(form(pieces=((0, 5), (20 * MS, 10), (50 * MS, 10))))
    assert [at // MS for at, _ in one.parts] == [0, 20, 50]
    assert [data[-5:] for _, data in one.parts] == [BODY[:5], BODY[10:15], BODY[20:]]
    assert read(one).body == BODY


def test_a_body_without_known_length_is_chunked_except_for_old_clients() -> None:
    how = form(pieces=((0, 5), (20 * MS, 20)), chunked=True)
    one = written(how)
    assert read(one).headers[b"transfer-encoding"] == b"chunked"
    assert (read(one).body, read(one).complete) == (BODY, True)
    old = written(how, old=True, last=True)
    assert read(old).headers[b"content-length"] == b"25"
    assert old.end == "close"


def test_the_end_of_a_chunked_body_comes_when_the_recorded_one_did() -> None:
    answer = Answer("hit", 1, 200, "OK", (), BODY, 0, 90 * MS, **form("", ((0, 25),), True))
    one = script(answer, Wanted("GET"), HEAD, lambda ns: ns)
    assert one.parts[-1] == (90 * MS, b"0\r\n\r\n")


def test_coded_where_the_client_accepts_it() -> None:
    one = written(form("gzip"), accept_encoding="gzip, br")
    client = read(one)
    assert client.headers[b"content-encoding"] == b"gzip"
    assert zlib.decompress(client.body, 31) == BODY
    assert one.size == len(BODY)
    assert b"content-encoding" not in read(written(form("gzip"))).headers


def test_the_pace_holds_for_pieces() -> None:
    answer = Answer("hit", 1, 200, "OK", (), BODY, **form(pieces=((0, 5), (100 * MS, 20))))
    one = script(answer, Wanted("GET"), HEAD, lambda ns: ns // 10)
    assert [at // MS for at, _ in one.parts] == [0, 10]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_some_answers_have_no_body(method: str, status: int) -> None:
    one = written(form("gzip", ((0, 25),), True), method=method, status=status)
    assert one.parts == ((0, HEAD + b"\r\n"),)


def test_a_reset_cuts_the_body_in_the_middle() -> None:
    one = written(damage=Damage("reset"))
    assert one.end == "reset"
    assert not read(one).complete
    assert len(read(one).body) == 12
    assert written(body=b"", damage=Damage("reset")).parts == ()


@pytest.mark.parametrize(("where", "length"), [(0.2, 0), (0.8, 12)])
def test_a_stall_after_the_head_or_half_of_the_body(where: float, length: int) -> None:
    one = written(damage=Damage("stall", where))
    assert one.end == "stall"
    assert len(read(one).body) == length


def test_silence_is_nothing_at_all() -> None:
    assert written(damage=Damage("silence")) == Script((), 0, "stall")


def test_malformed_as_text_that_ends_too_early() -> None:
    one = written(damage=Damage("malformed", 0.1))
    assert (read(one).complete, read(one).body, one.end) == (True, BODY[:12], "keep")


@pytest.mark.parametrize("where", [0.5, 0.9])
def test_malformed_so_that_a_client_cannot_read_on(where: float) -> None:
    one = written(damage=Damage("malformed", where))
    with pytest.raises(httptools.HttpParserError):
        read(one)
    assert one.end == "close"


def test_a_slow_body_trickles() -> None:
    assert trickle(25, 100) == ((100 * MS, 10), (200 * MS, 10), (250 * MS, 5))
    assert trickle(0, 100) == ()


pieces = st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 40)), max_size=5)
forms = st.builds(
    form,
    encoding=st.sampled_from(["", "gzip", "deflate"]),
    pieces=pieces.map(lambda found: tuple(sorted(found))),
    chunked=st.booleans(),
)


@given(forms, st.binary(max_size=60), st.sampled_from(["", "gzip", "deflate"]))
def test_whatever_was_recorded_a_client_reads_the_body(
    how: Form, body: bytes, accepted: str
) -> None:
    one = written(how, body, accept_encoding=accepted)
    client = read(one)
    coding = client.headers.get(b"content-encoding", b"").decode()
    window = {"gzip": 31, "deflate": 15}.get(coding)
    assert client.complete
    assert (zlib.decompress(client.body, window) if window else client.body) == body
    times = [at for at, _ in one.parts]
    assert times == sorted(times)
