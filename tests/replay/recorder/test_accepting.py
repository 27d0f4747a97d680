"""Which service a connection of the bot is meant for."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import pytest

from perfscan.replay.model import Scheme
from perfscan.replay.recorder.accepting import Connection, peek, split_host
from perfscan.replay.wire import HttpRequest


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Example.com", ("example.com", None)),
        (" example.com:8443 ", ("example.com", 8443)),
        ("[2001:db8::1]", ("2001:db8::1", None)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
        ("example.com:", ("example.com:", None)),
        ("example.com:\u00b2", ("example.com:\u00b2", None)),
        ("example.com:123456", ("example.com:123456", None)),
        ("", ("", None)),
    ],
)
def test_host_headers_are_split(value: str, expected: tuple[str, int | None]) -> None:
    assert split_host(value) == expected


@pytest.mark.parametrize(
    ("scheme", "server_name", "host", "expected"),
    [
        ("https", "real.example", "real.example", ("real.example", 443)),
        ("https", "real.example", "other.example:8443", ("real.example", 8443)),
        ("https", "", "named.example", ("named.example", 443)),
        ("http", "", "named.example", ("named.example", 80)),
    ],
)
def test_the_server_name_decides_before_the_host_header(
    scheme: str, server_name: str, host: str, expected: tuple[str, int]
) -> None:
    nothing = cast(asyncio.StreamReader, None), cast(asyncio.StreamWriter, None)
    connection = Connection(1, 0, cast(Scheme, scheme), server_name, *nothing)
    assert connection.service(HttpRequest("GET", "/", (("HOST", host),))) == expected


def test_peeking_takes_nothing() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"\x16abc")
        ours.setblocking(False)
        assert asyncio.run(peek(ours)) == b"\x16"
        assert ours.recv(10) == b"\x16abc"
