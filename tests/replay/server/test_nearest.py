from __future__ import annotations

from perfscan.replay.keys import Key
from perfscan.replay.server.nearest import describe, differences, nearest


def rpc(method: str, *params: str) -> Key:
    text = ",".join(f'"{param}"' for param in params)
    return Key("POST", "rpc.example", "/", (), f'{{"method":"{method}","params":[{text}]}}')


def test_the_field_that_differs_is_named() -> None:
    assert nearest(rpc("getTx", "A"), [rpc("getTx", "B")]) == (
        "POST rpc.example/: body $.params[0]: sent 'A', recorded 'B'",
    )


def test_the_nearest_comes_first_and_three_are_enough() -> None:
    sent = Key("GET", "a.example", "/v1/tokens/x/report", (("full", "1"),))
    recorded = [
        Key("GET", "b.example", "/v1/tokens/x/report", (("full", "1"),)),
        Key("GET", "a.example", "/v2/other"),
        Key("POST", "a.example", "/v1/tokens/x/report", (("full", "1"),)),
        Key("GET", "a.example", "/v1/tokens/y/report", (("full", "1"),)),
        Key("GET", "a.example", "/v1/tokens/x/report", (("full", "0"),)),
        Key("GET", "c.example", "/none"),
    ]
    assert nearest(sent, recorded) == (
        "GET a.example/v1/tokens/x/report: query full: sent '1', recorded '0'",
        "POST a.example/v1/tokens/x/report: method: sent 'GET', recorded 'POST'",
        "GET a.example/v1/tokens/y/report: path: sent '/v1/tokens/x/report', "
        "recorded '/v1/tokens/y/report'",
    )


def test_strangers_are_no_help() -> None:
    assert nearest(Key("GET", "a.example", "/x"), [Key("GET", "b.example", "/y")]) == ()


def test_absent_fields_are_told_from_empty_ones() -> None:
    sent = Key("GET", "a", "/", (("x", ""),), '{"a":null}')
    recorded = Key("GET", "a", "/", (("y", "1"),), '{"b":[1]}')
    assert list(differences(sent, recorded)) == [
        "query x: sent '', not recorded",
        "query y: not sent, recorded '1'",
        "body $.a: sent None, not recorded",
        "body $.b: not sent, recorded [1]",
    ]


def test_equal_numbers_of_another_type_differ() -> None:
    found = differences(Key("GET", "a", "/", (), "[true,1]"), Key("GET", "a", "/", (), "[1,1]"))
    assert list(found) == ["body $[0]: sent True, recorded 1"]  # equal to Python, not in JSON


def test_texts_are_compared_whole_and_shortened() -> None:
    (found,) = differences(Key("GET", "a", "/", (), "x" * 99), Key("GET", "a", "/", (), "y"))
    assert found.startswith("body: sent 'xxx")
    assert len(found) < 100


def test_a_request_is_described_in_one_line() -> None:
    assert describe(Key("GET", "a.example", "/p", (("a", "1"), ("b", "2")))) == (
        "GET a.example/p?a=1&b=2"
    )
    assert len(describe(rpc("m", "z" * 500))) == 200
