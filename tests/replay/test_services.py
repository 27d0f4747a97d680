"""What is known of services without starting one."""

from __future__ import annotations

import pytest

from perfscan.replay.model import ServiceRule
from perfscan.replay.services import outside_ports
from perfscan.replay.services.external import External, address_of, moved


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache.example:7000/1", ("cache.example", 7000)),
        ("redis://cache.example", ("cache.example", 6379)),
        ("postgresql://me:p%40ss@db.example/x", ("db.example", 6379)),
        ("postgresql://[::1]:5433/x", ("::1", 5433)),
        ("postgresql:///x?host=/run/postgresql", None),
        ("unix:///run/redis.sock", None),
    ],
)
def test_where_a_service_outside_is(url: str, address: tuple[str, int] | None) -> None:
    assert address_of(url, 6379) == address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", "redis://127.0.0.1:9"),
        ("redis://:secret@h:7/2", "redis://:secret@127.0.0.1:9/2"),
        (
            "postgresql://me:p%40ss@h/x?sslmode=disable",
            "postgresql://me:p%40ss@127.0.0.1:9/x?sslmode=disable",
        ),
    ],
)
def test_the_bot_gets_the_same_url_at_another_address(url: str, expected: str) -> None:
    assert moved(url, 9) == expected


def test_a_unix_socket_needs_no_door() -> None:
    rules = [
        ServiceRule("redis", url="unix:///run/redis.sock"),
        ServiceRule("postgresql", url="postgresql://db.example/x"),
        ServiceRule("redis"),
    ]
    assert outside_ports(rules) == (5432,)
    external = External("redis", rules[0].url, None, None)
    assert external.url == rules[0].url
    assert external.problem() == ""
    external.stop()
