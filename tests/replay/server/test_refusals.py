"""What services say when they refuse."""

from __future__ import annotations

import json

import pytest

from perfscan.replay.model import Refusal
from perfscan.replay.server.refusals import reason_of, refusing


def test_telegram_tells_how_long_to_wait_in_its_body() -> None:
    answer = refusing("refused", "api.telegram.org", Refusal(), 4.2)
    said = json.loads(answer.body)
    assert said["parameters"] == {"retry_after": 5}
    assert said["description"] == "Too Many Requests: retry after 5"
    assert dict(answer.headers)["Retry-After"] == "5"
    assert (answer.status, answer.outcome) == (429, "refused")


@pytest.mark.parametrize("status", [418, 429])
def test_binance_has_a_code_for_it(status: int) -> None:
    answer = refusing("refused", "api.binance.com", Refusal(status), 0.1)
    assert json.loads(answer.body)["code"] == -1003
    assert dict(answer.headers)["Retry-After"] == "1", "whole seconds, never none"


def test_a_gateway_answers_in_html() -> None:
    answer = refusing("fault", "api.telegram.org", Refusal(503))
    assert dict(answer.headers) == {"Content-Type": "text/html"}
    assert b"503 Service Unavailable" in answer.body


def test_the_scenario_has_the_last_word() -> None:
    refusal = Refusal(403, 30, (("X-Why", "limit"),), '{"why": "limit"}')
    answer = refusing("refused", "h", refusal, 2, closes=True)
    assert answer.body == b'{"why": "limit"}'
    assert answer.headers == (
        ("Content-Type", "application/json"),
        ("X-Why", "limit"),
        ("Retry-After", "30"),
    )
    assert answer.closes
    own = Refusal(429, 30, (("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),), "later")
    assert [name for name, _ in refusing("refused", "h", own).headers] == [
        *("Content-Type", "retry-after")
    ]


def test_every_other_service_says_something_in_json() -> None:
    answer = refusing("fault", "api.example.com:8443", Refusal(500))
    assert json.loads(answer.body) == {"error": {"code": 500, "message": "Internal Server Error"}}
    assert reason_of(599) == ""
