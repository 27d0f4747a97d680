from __future__ import annotations

import json

import pytest

from perfscan.replay.exchanges import Exchange
from perfscan.replay.keys import Asked, read_request
from perfscan.replay.model import Failure, Headers, MatchRules, Miss, Open, Request, Response
from perfscan.replay.server.answers import Answer, Recorded, join_batch, recorded_answers, refuse

MS = 1_000_000


def answers(
    sent: object,
    body: object,
    *,
    method: str = "POST",
    headers: Headers = (),
    failure: Failure | None = None,
    timed: bool = True,
) -> list[Recorded]:
    """Return the recorded answers to a request that was answered 30 ms later, body after 5 more."""
    request = Request(1, 1, 100 * MS, method, "/", (), json.dumps(sent).encode())
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(1, 1, 130 * MS, 135 * MS, 200, headers, text, "Fine")
    exchange = Exchange(0, Open(1, 0, "https", "a", 443), request, None if failure else response)
    asked = read_request(method, "a", "/", (), request.body, MatchRules())
    found = recorded_answers(exchange, asked, failure, timed=timed)
    return [answer for answer in found if answer is not None]


def rpc(number: object, method: str = "get") -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": []}


def test_times_and_reason_are_kept() -> None:
    (answer,) = answers({"a": 1}, "x")
    assert (answer.service_ns, answer.body_ns, answer.reason) == (30 * MS, 5 * MS, "Fine")
    (untimed,) = answers({"a": 1}, "x", timed=False)
    assert (untimed.service_ns, untimed.body_ns) == (0, 0)


def test_a_failure_is_an_answer_that_breaks() -> None:
    (answer,) = answers({"a": 1}, "x", failure=Failure(1, 140 * MS, "reset", 1))
    assert (answer.broke, answer.service_ns, answer.successful) == (True, 40 * MS, False)


def test_the_length_of_a_body_is_kept_only_where_there_is_no_body() -> None:
    headers = (("Content-Length", "7"), ("ETag", "x"))
    (got,) = answers(None, "x", method="GET", headers=headers)
    (head,) = answers(None, b"", method="HEAD", headers=headers)
    assert got.headers == (("ETag", "x"),)
    assert head.headers == headers


@pytest.mark.parametrize("body", [b"busy", {"error": "busy"}, [], [{"id": 9}], b"[1"])
def test_a_batch_that_was_not_answered_one_by_one(body: object) -> None:
    found = answers([rpc(1), rpc(2)], body)
    whole = isinstance(body, bytes | dict)
    assert len(found) == (2 if whole else 0)
    assert all(answer.around_id is None for answer in found)


def test_ids_may_be_of_any_kind() -> None:
    batch = [rpc(1), rpc("1"), rpc(None)]
    body = [{"id": "1", "result": "text"}, {"id": 1, "result": "number"}]
    *found, notified = answers(batch, body)
    assert [json.loads(answer.body)["result"] for answer in found] == ["number", "text"]
    assert notified.body == b""


def part(body: bytes, outcome: str = "hit", status: int = 200, service_ms: int = 1) -> Answer:
    miss = Miss("x", ()) if outcome == "miss" else None
    kind = "miss" if miss else "extra" if outcome == "extra" else "hit"
    return Answer(kind, 1, status, "OK", (), body, service_ms * MS, miss=miss)  # type: ignore[arg-type]


def batch(*numbers: object) -> Asked:
    body = json.dumps([rpc(number) for number in numbers]).encode()
    return read_request("POST", "a", "/", (), body, MatchRules())


def test_a_batch_takes_as_long_as_its_slowest_part_and_is_as_bad_as_its_worst() -> None:
    parts = [part(b"1", service_ms=3), part(b"2", "extra", service_ms=9)]
    joined = join_batch(batch(1, 2), parts)
    assert (joined.body, joined.service_ns, joined.outcome) == (b"[1,2]", 9 * MS, "extra")
    worse = join_batch(batch(1, 2, 3), [*parts, part(b"3", "miss")])
    assert (worse.outcome, worse.miss) == ("miss", Miss("x", ()))


def test_notifications_are_not_answered() -> None:
    assert join_batch(batch(1, None), [part(b"1"), part(b"2")]).body == b"[1]"


def test_a_refusal_says_where_it_comes_from() -> None:
    answer = refuse(Miss("GET a/b", ("GET a/c: path",)))
    body = json.loads(answer.body)
    assert answer.status == 599
    assert body["from"] == "perfscan replay"
    assert body["nearest"] == ["GET a/c: path"]
