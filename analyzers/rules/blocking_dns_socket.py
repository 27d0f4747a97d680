"""PS108: synchronous name look-ups and sockets on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import EffectCall, Hit, rule


@rule("PS108", "blocking-dns-socket", Severity.HIGH, on=EffectCall)
def blocking_dns_socket(call: Call, where: Where) -> Iterator[Hit]:
    """Report name look-ups and socket connections that run on the event loop.

    What it does:
        Looks for `socket.create_connection`, `gethostbyname`, `getaddrinfo` and the like in
        coroutines, and for `recv` and `connect` on a socket that the same function made and left
        blocking.

    Why it costs a bot:
        A name server that does not answer holds the event loop for seconds, a peer that sends
        nothing for ever.

    Example:
        import socket

        async def reachable(host):
            return socket.create_connection((host, 443), timeout=5)

    Use instead:
        import asyncio

        async def reachable(host):
            return await asyncio.open_connection(host, 443)

    When it is fine:
        In a worker thread, and for sockets set to non-blocking that `loop.sock_recv` reads.
    """
    effect = where.effect(call)
    if effect is None or effect.is_async or effect.cost != "socket":
        return
    if not where.on_loop(call.block) or (effect.on_instance and not _is_blocking(call, where)):
        return
    yield Hit(
        call.place,
        call.block,
        message=f"{effect.readable}() blocks the event loop in {where.name(call.block)}",
        fix=f"Use await {effect.replacement or 'asyncio.open_connection'}(...).",
        severity=where.weight(call, Severity.HIGH),
        confidence=where.confidence(call),
    )


def _is_blocking(call: Call, where: Where) -> bool:
    """Tell whether the socket was made in this function, which never sets it to non-blocking."""
    name = call.func.rpartition(".")[0]
    calls = [site.call for site in where.program.sites_of(where.function_id(call.block))]
    made = any(
        assign.target == name and assign.op in {"=", "with"} and assign.value.ref.startswith("@")
        for assign in where.file.assigns
        if where.file.blocks[assign.block].function == where.file.blocks[call.block].function
    )
    return made and not any(
        other.func in {f"{name}.setblocking", f"{name}.settimeout"} for other in calls
    )
