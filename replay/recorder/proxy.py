"""The HTTP proxies of the environment, through which services are then reached (CONNECT)."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from perfscan.errors import InputError
from perfscan.replay.model import Scheme

LARGEST_HEAD = 1 << 16


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy; ``authorization`` is the value of its header, or empty."""

    host: str
    port: int
    authorization: str = ""

    async def tunnel(self, connected: socket.socket, host: str, port: int) -> None:
        """Have ``connected``, which leads to the proxy, lead on to a service; raises OSError."""
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        head = f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n"
        if self.authorization:
            head += f"Proxy-Authorization: {self.authorization}\r\n"
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(connected, f"{head}\r\n".encode("latin-1"))
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < LARGEST_HEAD:
            data = await loop.sock_recv(connected, 4096)  # a service does not speak first
            if not data:
                break
            answer += data
        status, _, _ = answer.partition(b"\r\n")
        if status.split(b" ")[1:2] != [b"200"]:
            told = status.decode("latin-1") or "nothing"
            raise OSError(f"the proxy {self.host}:{self.port} answered {told}")


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy leads to which service."""

    by_scheme: Mapping[str, Proxy]
    exceptions: str = ""
    """As in ``NO_PROXY``."""

    def way_to(self, scheme: Scheme, host: str) -> Proxy | None:
        """Return the proxy for a service, or None where it is reached directly."""
        if proxy_bypass_environment(host, {"no": self.exceptions}):
            return None
        return self.by_scheme.get(scheme)


def proxies_of(environment: Mapping[str, str]) -> Proxies:
    """Read ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``; raises InputError."""
    given = {name.lower(): value for name, value in environment.items() if value}
    found = {}
    for scheme in ("http", "https"):
        for name in (f"{scheme}_proxy", "all_proxy"):
            if name in given:
                found[scheme] = _proxy(name.upper(), given[name])
                break
    return Proxies(found, given.get("no_proxy", ""))


def _proxy(name: str, address: str) -> Proxy:
    parts = urlsplit(address if "://" in address else f"http://{address}")
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise InputError(
            f"${name} names a proxy through which perfscan cannot record",
            remedy="give one of the form http://HOST:PORT, or unset it",
        )
    authorization = ""
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(credentials.encode()).decode("ascii")
    return Proxy(parts.hostname, port, authorization)
