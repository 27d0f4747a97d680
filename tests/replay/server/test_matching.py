from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest

from perfscan.replay.keys import read_request
from perfscan.replay.model import (
    CycleStimulus,
    Event,
    Failure,
    Headers,
    KeyRule,
    MatchRules,
    Open,
    Recording,
    RecordingHeader,
    Request,
    RequestEffect,
    Response,
)
from perfscan.replay.server.answers import MISS_STATUS, Answer
from perfscan.replay.server.matching import Matcher

MS = 1_000_000


def recording(
    *pairs: tuple[Request, Response | Failure | None], latency: str = "recorded"
) -> Recording:
    events: list[Event] = [Open(1, 0, "https", "api.example", 443)]
    for pair in pairs:
        events += [event for event in pair if event is not None]
    header = RecordingHeader(latency="recorded" if latency == "recorded" else "not recorded")
    return Recording(header, tuple(sorted(events, key=lambda event: event.at_ns)))


def exchange(
    number: int,
    target: str,
    answer: object,
    *,
    status: int = 200,
    took_ms: int = 100,
    body: object = None,
    headers: Headers = (),
) -> tuple[Request, Response]:
    at_ns = number * 1000 * MS
    sent = b"" if body is None else json.dumps(body).encode()
    text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return (
        Request(number, 1, at_ns, "POST" if sent else "GET", target, (), sent),
        Response(
            number, 1, at_ns + took_ms * MS, at_ns + (took_ms + 5) * MS, status, headers, text
        ),
    )


def ask(
    matcher: Matcher,
    target: str,
    body: object = None,
    host: str = "api.example",
    rules: MatchRules | None = None,
) -> Answer:
    sent = b"" if body is None else json.dumps(body).encode()
    method = "POST" if sent else "GET"
    return matcher.answer(read_request(method, host, target, (), sent, rules or MatchRules()))


def bodies(answers: Iterable[Answer]) -> list[object]:
    return [json.loads(answer.body) for answer in answers]


def test_the_nth_request_gets_the_nth_answer_in_the_nth_time() -> None:
    matcher = Matcher(
        recording(
            exchange(1, "/order", "open", took_ms=50), exchange(2, "/order", "filled", took_ms=70)
        )
    )
    first, second = ask(matcher, "/order"), ask(matcher, "/order")
    assert bodies([first, second]) == ["open", "filled"]
    assert [first.service_ns, second.service_ns] == [50 * MS, 70 * MS]
    assert [first.recorded, second.recorded] == [1, 2]
    assert first.body_ns == 5 * MS
    assert {first.outcome, second.outcome} == {"hit"}


def test_other_requests_do_not_use_up_the_answers_of_one() -> None:
    matcher = Matcher(recording(exchange(1, "/a", 1), exchange(2, "/b", 2), exchange(3, "/a", 3)))
    answers = [ask(matcher, target) for target in ("/b", "/a", "/a")]
    assert bodies(answers) == [2, 1, 3]
    assert matcher.unused == 0


def test_after_the_last_the_last_successful_answer_stands() -> None:
    matcher = Matcher(
        recording(
            exchange(1, "/a", "good", took_ms=10),
            exchange(2, "/a", "best", took_ms=20),
            exchange(3, "/a", "too many", status=429, took_ms=30),
        )
    )
    answers = [ask(matcher, "/a") for _ in range(40)]
    assert bodies(answers[:3]) == ["good", "best", "too many"]
    assert {answer.outcome for answer in answers[3:]} == {"extra"}
    assert set(map(str, bodies(answers[3:]))) == {"best"}
    assert {answer.service_ns for answer in answers[3:]} == {10 * MS, 20 * MS, 30 * MS}


def test_extra_answers_take_the_same_time_on_both_sides() -> None:
    def times(seed: int) -> list[int]:
        pairs = [exchange(number, "/a", number, took_ms=number) for number in range(1, 9)]
        matcher = Matcher(recording(*pairs), seed=seed)
        return [ask(matcher, "/a").service_ns for _ in range(30)]

    assert times(1) == times(1)
    assert times(1) != times(2)


def test_where_nothing_succeeded_the_last_answer_stands() -> None:
    matcher = Matcher(recording(exchange(1, "/a", "no", status=503)))
    assert [ask(matcher, "/a").status for _ in range(3)] == [503, 503, 503]


def test_a_miss_is_unmistakable_and_names_the_nearest() -> None:
    matcher = Matcher(recording(exchange(1, "/v1/a", 1)))
    answer = ask(matcher, "/v1/b")
    assert (answer.outcome, answer.status, answer.recorded) == ("miss", MISS_STATUS, None)
    assert json.loads(answer.body)["error"] == "not in the recording"
    assert answer.miss is not None
    assert answer.miss.request == "GET api.example/v1/b"
    assert answer.miss.nearest == ("GET api.example/v1/a: path: sent '/v1/b', recorded '/v1/a'",)


def test_a_used_up_recording_goes_on_refusing() -> None:
    matcher = Matcher(recording(exchange(1, "/a", 1)))
    ask(matcher, "/a")
    assert {ask(matcher, f"/new/{number}").outcome for number in range(20)} == {"miss"}
    assert ask(Matcher(recording()), "/").outcome == "miss"


def test_another_host_is_a_miss_unless_any_host_will_do() -> None:
    traffic = recording(exchange(1, "/a", 1))
    assert ask(Matcher(traffic), "/a", host="127.0.0.1:8000").outcome == "miss"
    lenient = Matcher(traffic, any_host=True)
    assert ask(lenient, "/a", host="127.0.0.1:8000").outcome == "hit"
    assert ask(lenient, "/b", host="127.0.0.1:8000").outcome == "miss"


def rpc(method: str, *params: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def result(value: object, number: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "result": value, "id": number}


def test_the_id_of_a_json_rpc_call_is_echoed() -> None:
    answer = b'{"result": {"id": 1, "price": 1.10}, "id": 1}'
    matcher = Matcher(recording(exchange(1, "/", answer, body=rpc("get", "a"))))
    found = ask(matcher, "/", rpc("get", "a", number="mine"))
    assert found.body == b'{"result": {"id": 1, "price": 1.10}, "id": "mine"}'


def test_a_batch_is_answered_from_single_calls_in_any_order() -> None:
    matcher = Matcher(
        recording(
            exchange(1, "/", result("A"), body=rpc("get", "a"), took_ms=30),
            exchange(2, "/", result("B"), body=rpc("get", "b"), took_ms=80),
        )
    )
    answer = ask(matcher, "/", [rpc("get", "b", number=5), rpc("get", "a", number=6)])
    assert json.loads(answer.body) == [result("B", 5), result("A", 6)]
    assert (answer.outcome, answer.service_ns) == ("hit", 80 * MS)
    assert matcher.unused == 0


def test_single_calls_are_answered_from_a_batch() -> None:
    batch = [rpc("get", "a", number=1), rpc("get", "b", number=2)]
    answers = [result("B", 2), result("A", 1)]
    matcher = Matcher(recording(exchange(1, "/", answers, body=batch)))
    assert bodies([ask(matcher, "/", rpc("get", "b", number=9))]) == [result("B", 9)]
    assert bodies([ask(matcher, "/", rpc("get", "a", number=9))]) == [result("A", 9)]


def test_an_unknown_element_misses_alone() -> None:
    matcher = Matcher(recording(exchange(1, "/", result("A"), body=rpc("get", "a"))))
    answer = ask(matcher, "/", [rpc("get", "a", number=1), rpc("get", "z", number=2)])
    first, second = json.loads(answer.body)
    assert first == result("A")
    assert second["id"] == 2
    assert "not in the recording" in second["error"]["message"]
    assert answer.outcome == "miss"
    assert answer.miss is not None


def test_a_refused_element_refuses_its_batch() -> None:
    matcher = Matcher(
        recording(
            exchange(1, "/", result("A"), body=rpc("get", "a")),
            exchange(2, "/", b"slow down", body=rpc("get", "b"), status=429),
            exchange(3, "/", result("B"), body=rpc("get", "b")),
        )
    )
    batch = [rpc("get", "a", number=1), rpc("get", "b", number=2)]
    refused, again = ask(matcher, "/", batch), ask(matcher, "/", batch)
    assert (refused.status, refused.body) == (429, b"slow down")
    assert json.loads(again.body) == [result("A", 1), result("B", 2)]


def test_where_a_body_may_differ_its_own_answer_is_preferred() -> None:
    rules = MatchRules(ignore_body=("$.text",))
    matcher = Matcher(
        recording(
            exchange(1, "/send", 1, body={"chat": 1, "text": "a"}, took_ms=10),
            exchange(2, "/send", 2, body={"chat": 1, "text": "b"}, took_ms=20),
        ),
        rules,
    )
    texts = ["b", "changed", "a"]
    answers = [ask(matcher, "/send", {"chat": 1, "text": text}, rules=rules) for text in texts]
    assert bodies(answers[:2]) == [2, 1]
    assert [answer.outcome for answer in answers] == ["hit", "hit", "extra"]
    assert ask(matcher, "/send", {"chat": 2, "text": "b"}, rules=rules).outcome == "miss"


def test_an_exchange_that_broke_breaks_again() -> None:
    sent, _ = exchange(1, "/a", 1)
    broken = Failure(1, sent.at_ns + 40 * MS, "connection reset", exchange=1)
    matcher = Matcher(recording((sent, broken), exchange(2, "/a", "later")))
    first, second, third = (ask(matcher, "/a") for _ in range(3))
    assert (first.broke, first.service_ns) == (True, 40 * MS)
    assert bodies([second, third]) == ["later", "later"]


def test_an_exchange_without_end_is_left_out() -> None:
    sent, _ = exchange(1, "/a", 1)
    assert ask(Matcher(recording((sent, None))), "/a").outcome == "miss"


def test_framing_headers_are_not_repeated() -> None:
    headers = (("Content-Type", "x"), ("Content-Length", "9"), ("Transfer-Encoding", "chunked"))
    matcher = Matcher(recording(exchange(1, "/a", 1, headers=headers)))
    assert ask(matcher, "/a").headers == (("Content-Type", "x"),)


@pytest.mark.parametrize(("asked_for_it", "closes"), [(False, True), (True, False)])
def test_a_connection_is_closed_as_the_service_did(asked_for_it: bool, closes: bool) -> None:
    sent, answer = exchange(1, "/a", 1, headers=(("Connection", "close"),))
    if asked_for_it:
        sent = Request(1, 1, sent.at_ns, "GET", "/a", (("connection", "Close"),))
    assert ask(Matcher(recording((sent, answer))), "/a").closes is closes


def test_without_recorded_latency_nothing_waits() -> None:
    matcher = Matcher(recording(exchange(1, "/a", 1), latency="not recorded"))
    answer = ask(matcher, "/a")
    assert (answer.service_ns, answer.body_ns) == (0, 0)


# --- Rules of the scenario ------------------------------------------------------------------------

ORDERS = MatchRules(paths=("GET https://api.example/orders/*",))


def test_ids_in_a_path_may_be_left_open_and_are_the_askers_own_in_the_answer() -> None:
    matcher = Matcher(
        recording(
            exchange(1, "/orders/order-one", {"id": "order-one", "state": "open"}),
            exchange(2, "/orders/order-two", {"id": "order-two", "state": "filled"}),
        ),
        ORDERS,
    )
    targets = ["/orders/order-two", "/orders/my-own-id", "/orders/other-id"]
    answers = [ask(matcher, target, rules=ORDERS) for target in targets]
    assert bodies(answers) == [
        {"id": "order-two", "state": "filled"},
        {"id": "my-own-id", "state": "open"},
        {"id": "other-id", "state": "filled"},
    ]
    assert [answer.outcome for answer in answers] == ["hit", "hit", "extra"]
    assert ask(matcher, "/orders/a/b", rules=ORDERS).outcome == "miss"
    assert ask(Matcher(recording(exchange(1, "/orders/1", 1))), "/orders/2").outcome == "miss"


def test_short_ids_are_left_alone_in_the_answer() -> None:
    matcher = Matcher(recording(exchange(1, "/orders/12", {"id": 12, "quantity": 12})), ORDERS)
    assert bodies([ask(matcher, "/orders/99", rules=ORDERS)]) == [{"id": 12, "quantity": 12}]


def test_the_last_answer_stands_where_the_rules_say_so() -> None:
    rules = MatchRules(modes=(("GET https://api.example/order", "last"),))
    pairs = [
        *(exchange(1, "/order", "open"), exchange(2, "/order", "gone", status=404)),
        *(exchange(3, "/other", "open"), exchange(4, "/other", "gone", status=404)),
    ]
    matcher = Matcher(recording(*pairs), rules)
    assert [ask(matcher, "/order").status for _ in range(4)] == [200, 404, 404, 404]
    assert [ask(matcher, "/other").status for _ in range(4)] == [200, 404, 200, 200]


def test_by_time_the_answer_is_that_of_the_moment() -> None:
    rules = MatchRules(modes=(("GET https://api.example/price", "by-time"),))
    pairs = [exchange(number, "/price", number) for number in (1, 2, 5)]
    matcher = Matcher(recording(*pairs), rules)
    asked = read_request("GET", "api.example", "/price", (), b"", rules)
    moments_ms = [0, 1500, 4999, 1000, 5000, 9000]
    answers = [matcher.answer(asked, moment * MS) for moment in moments_ms]
    assert bodies(answers) == [1, 1, 2, 1, 5, 5]
    outcomes = ["hit", "extra", "hit", "extra", "hit", "extra"]
    assert [answer.outcome for answer in answers] == outcomes
    assert matcher.unused == 0


def test_a_batch_may_be_merged_split_and_shuffled_otherwise_than_recorded() -> None:
    first = [rpc("get", "a", number=1), rpc("get", "b", number=2)]
    second = [rpc("get", "c", number=1), rpc("note", "d", number=None)]
    matcher = Matcher(
        recording(
            exchange(1, "/", [result("B", 2), result("A", 1)], body=first),
            exchange(2, "/", [result("C", 1)], body=second),
        )
    )
    asked = [rpc("note", "d", number=None), rpc("get", "c", number=7), rpc("get", "a", number="x")]
    merged = ask(matcher, "/", asked)
    assert json.loads(merged.body) == [result("C", 7), result("A", "x")]
    assert merged.outcome == "hit"
    assert bodies([ask(matcher, "/", rpc("get", "b", number=3))]) == [result("B", 3)]
    assert matcher.unused == 0


def test_answers_may_stand_before_their_request_in_a_recording() -> None:
    sent, answer = exchange(1, "/a", "late")
    matcher = Matcher(recording((replace(sent, at_ns=answer.at_ns + MS), answer)))
    assert (ask(matcher, "/a").outcome, matcher.unused) == ("hit", 0)


def test_requests_to_the_bot_itself_are_not_answers() -> None:
    opened = Open(1, 0, "http", "bot.example", 80, inbound=True)
    traffic = Recording(RecordingHeader(), (opened, *exchange(1, "/hook", "from the bot")))
    assert Matcher(traffic).unused == 0


def test_large_bodies_are_told_apart_to_their_end() -> None:
    text = "x" * 100_000
    matcher = Matcher(
        recording(
            exchange(1, "/send", 1, body={"text": f"{text}a"}),
            exchange(2, "/send", 2, body={"text": f"{text}b"}),
        )
    )
    assert bodies([ask(matcher, "/send", {"text": f"{text}b"})]) == [2]
    answer = ask(matcher, "/send", {"text": f"{text}c"})
    assert answer.outcome == "miss"
    assert len(answer.body) < 10_000


# --- By cycle -------------------------------------------------------------------------------------

POLLED = MatchRules(
    modes=(("GET https://api.example/position", "by-cycle"),),
    cycle=CycleStimulus(("GET https://api.example/tickers",), pause_s=1.5),
)


def cycles(*numbers_and_answers: tuple[int, str]) -> list[tuple[Request, Response]]:
    """Positions by second; a cycle begins 100 ms before every tenth second."""
    ticks = sorted({number // 10 * 10 for number, _ in numbers_and_answers if number >= 10})
    begins = [exchange(number, "/tickers", number) for number in ticks]
    asked = [exchange(number, "/position", answer) for number, answer in numbers_and_answers]
    return begins + asked


def in_cycles(matcher: Matcher, *numbers: int) -> list[object]:
    asked = read_request("GET", "api.example", "/position", (), b"", POLLED)
    return bodies(matcher.answer(asked, 0, cycle) for cycle in numbers)


def test_each_cycle_gets_the_answers_of_the_recorded_one_in_order() -> None:
    recorded = recording(*cycles((11, "a"), (12, "b"), (21, "c"), (31, "d"), (32, "e")))

    assert in_cycles(Matcher(recorded, POLLED), 1, 1, 1, 2, 2, 3) == ["a", "b", "b", "c", "c", "d"]
    assert in_cycles(Matcher(recorded, POLLED), 1, 3, 2, 1) == ["a", "d", "c", "b"]


def test_a_cycle_without_answers_finds_things_as_the_last_one_left_them() -> None:
    silent = exchange(20, "/tickers", 20)
    matcher = Matcher(recording(*cycles((11, "a"), (31, "b"), (32, "c")), silent), POLLED)
    unused = matcher.unused

    assert in_cycles(matcher, 2, 9, 0) == ["a", "c", "a"]
    assert matcher.unused == unused, "what is lent is not used up"
    assert in_cycles(matcher, 1, 3) == ["a", "b"]
    assert matcher.unused == unused - 2


@pytest.mark.parametrize(("deadline_s", "answers"), [(30.0, ["a", "b"]), (5.0, ["a", "a"])])
def test_attempts_to_begin_a_recorded_cycle_count_as_one_until_the_deadline(
    deadline_s: float, answers: list[str]
) -> None:
    refused = exchange(20, "/tickers", "busy", status=503)
    matcher = Matcher(
        recording(*cycles((11, "a"), (31, "b")), refused), POLLED, deadline_s=deadline_s
    )

    assert in_cycles(matcher, 1, 2) == answers


def test_failures_do_not_stand_for_the_rest_of_a_cycle() -> None:
    failed = exchange(12, "/position", "busy", status=503)
    matcher = Matcher(recording(*cycles((11, "a"), (21, "b")), failed), POLLED)

    assert in_cycles(matcher, 1, 1, 1, 2) == ["a", "busy", "a", "b"]


# --- Requests that end items ----------------------------------------------------------------------

REPLIES = MatchRules(
    effect=RequestEffect(
        ("POST https://api.example/send", "POST https://api.example/edit"), KeyRule("$.chat")
    )
)


def replies(matcher: Matcher, *sent: tuple[str, int]) -> list[tuple[str, object]]:
    answers = [
        ask(matcher, target, {"chat": chat, "text": "new"}, rules=REPLIES) for target, chat in sent
    ]
    return [(one.outcome, json.loads(one.body) if one.outcome != "miss" else "") for one in answers]


def test_each_answer_belongs_to_its_own_request() -> None:
    recorded = recording(
        exchange(1, "/send", "sent 1", body={"chat": 1, "text": "a"}),
        exchange(2, "/edit", "edited 1", body={"chat": 1, "text": "b"}),
        exchange(3, "/send", "sent 2", body={"chat": 1, "text": "c"}),
        exchange(4, "/send", "other", body={"chat": 2, "text": "c"}),
    )
    matcher = Matcher(recorded, REPLIES)

    assert replies(matcher, ("/send", 1), ("/send", 1), ("/edit", 1), ("/send", 1)) == [
        ("hit", "sent 1"),
        ("hit", "sent 2"),
        ("hit", "edited 1"),
        ("extra", "sent 2"),
    ]
    assert replies(matcher, ("/edit", 2), ("/edit", 3), ("/send", 2)) == [
        ("extra", "edited 1"),
        ("miss", ""),
        ("hit", "other"),
    ]
