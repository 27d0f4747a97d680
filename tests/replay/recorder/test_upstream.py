"""Services that cannot be reached are a plain OSError, whatever the bot asked for."""

from __future__ import annotations

import asyncio

import pytest

from perfscan.replay.event_loop import new_event_loop
from perfscan.replay.recorder.proxy import Proxies
from perfscan.replay.recorder.upstream import Dialer


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 99999), ("a..example", 443), ("\0", 80), ("127.0.0.1", 1)]
)
def test_what_cannot_be_an_address_is_a_failed_connection(host: str, port: int) -> None:
    dialer = Dialer.create({(host, port): (host, port)}, None, Proxies({}))
    with (
        asyncio.Runner(loop_factory=new_event_loop) as runner,
        pytest.raises(OSError, match=r"\w"),
    ):
        runner.run(dialer.dial(host, port, tls=False))
