"""Which proxy leads to a service, and how it is asked."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from perfscan.errors import InputError
from perfscan.replay.recorder.proxy import Proxy, proxies_of


def test_the_environment_says_which_proxy_leads_where() -> None:
    proxies = proxies_of(
        {
            "HTTPS_PROXY": "http://user:p%40ss@proxy.example:3128",
            "all_proxy": "other.example:8080",
            "NO_PROXY": "localhost,.internal.example",
        }
    )
    assert proxies.way_to("https", "api.example") == Proxy(
        "proxy.example", 3128, "Basic dXNlcjpwQHNz"
    )
    assert proxies.way_to("http", "api.example") == Proxy("other.example", 8080)
    assert proxies.way_to("https", "a.internal.example") is None
    assert proxies_of({"HTTP_PROXY": ""}).way_to("http", "api.example") is None


@pytest.mark.parametrize("address", ["socks5://proxy.example:1080", "http://", "http://a:x"])
def test_a_proxy_of_another_kind_is_refused_in_one_line(address: str) -> None:
    with pytest.raises(InputError, match=r"\$HTTPS_PROXY names a proxy"):
        proxies_of({"HTTPS_PROXY": address})


def ask(answer: bytes) -> bytes:
    """Return what a proxy that gives ``answer`` was asked."""
    ours, theirs = socket.socketpair()
    asked: list[bytes] = []

    def serve() -> None:
        asked.append(theirs.recv(4096))
        theirs.sendall(answer)
        theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    ours.setblocking(False)
    with ours:
        asyncio.run(Proxy("proxy.example", 3128, "Basic eA==").tunnel(ours, "api.example", 443))
    thread.join()
    return asked[0]


def test_a_tunnel_is_asked_for_with_credentials() -> None:
    asked = ask(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
    assert asked.startswith(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n")
    assert b"\r\nProxy-Authorization: Basic eA==\r\n" in asked


@pytest.mark.parametrize(
    ("answer", "told"),
    [(b"HTTP/1.1 403 Forbidden\r\n\r\n", "answered HTTP/1.1 403 Forbidden"), (b"", "nothing")],
)
def test_a_refusal_is_told(answer: bytes, told: str) -> None:
    with pytest.raises(OSError, match=told):
        ask(answer)
