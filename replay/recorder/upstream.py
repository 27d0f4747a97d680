"""Connections to the real services, each step of the set-up timed."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from perfscan.errors import InputError
from perfscan.replay.recorder.proxy import Proxies

CONNECT_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """An open connection to a service and what its set-up took."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connect_ns: int
    tls_ns: int | None


@dataclass(frozen=True, slots=True)
class Dialer:
    """How services are reached: where they really are, and which certificates are trusted."""

    context: ssl.SSLContext
    stand_ins: Mapping[tuple[str, int | None], tuple[str, int]]
    """(host, port or None for any) to the address to connect to instead."""
    proxies: Proxies = Proxies({})  # noqa: RUF009 - frozen

    @classmethod
    def create(
        cls,
        stand_ins: Mapping[tuple[str, int | None], tuple[str, int]],
        ca: Path | None,
        proxies: Proxies,
    ) -> Dialer:
        """Trust the system's certificates and those in ``ca``; raises InputError."""
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        if ca is not None:
            try:
                context.load_verify_locations(ca)
            except (OSError, ssl.SSLError) as error:
                raise InputError(
                    f"no usable certificates: {error}",
                    where=str(ca),
                    remedy="give a PEM file to --upstream-ca",
                ) from error
        return cls(context, stand_ins, proxies)

    async def dial(self, host: str, port: int, *, tls: bool) -> Upstream:
        """Connect; a certificate must be valid for ``host`` wherever the service stands.

        Raises OSError (ssl.SSLError and TimeoutError included), also for what cannot be an address.
        """
        try:
            return await self._dial(host, port, tls=tls)
        except (ValueError, OverflowError) as error:
            raise OSError(f"no usable address: {error}") from error

    async def _dial(self, host: str, port: int, *, tls: bool) -> Upstream:
        address = self.stand_ins.get((host, port)) or self.stand_ins.get((host, None))
        proxy = None if address else self.proxies.way_to("https" if tls else "http", host)
        if proxy:
            address = proxy.host, proxy.port
        async with asyncio.timeout(CONNECT_LIMIT_S):
            connected, connect_ns = await connect(*(address or (host, port)))
            started = time.perf_counter_ns()
            try:
                if proxy:
                    await proxy.tunnel(connected, host, port)
                    connect_ns += time.perf_counter_ns() - started
                    started = time.perf_counter_ns()
                reader, writer = await asyncio.open_connection(
                    sock=connected,
                    ssl=self.context if tls else None,
                    server_hostname=host if tls else None,
                    limit=1 << 20,
                )
            except BaseException:
                connected.close()
                raise
            tls_ns = time.perf_counter_ns() - started
        return Upstream(reader, writer, connect_ns, tls_ns if tls else None)


async def connect(host: str, port: int) -> tuple[socket.socket, int]:
    """Return a connected socket and what the TCP handshake took, without the name look-up.

    Raises OSError.
    """
    loop = asyncio.get_running_loop()
    problem: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        candidate = socket.socket(family, kind, protocol)
        candidate.setblocking(False)
        candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter_ns()
        try:
            await loop.sock_connect(candidate, address)
        except OSError as error:
            candidate.close()
            problem = error
        except BaseException:
            candidate.close()
            raise
        else:
            return candidate, time.perf_counter_ns() - started
    raise problem or OSError(f"no address for {host}")
