"""PS302: a client built inside a loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.keeping import fate, used_for_long
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule


@rule("PS302", "client-in-loop", Severity.HIGH, on=LibraryCall, fixable="unsafe")
def client_in_loop(call: Call, where: Where) -> Iterator[Hit]:
    """Report HTTP clients and SDK clients that are built inside a loop.

    What it does:
        Finds a client class that the knowledge base lists (requests.Session, httpx.Client,
        aiohttp.ClientSession, ccxt exchanges, redis.Redis, ...) constructed in the body of a loop
        over data or of an endless loop, although nothing in its arguments changes from turn to
        turn.

    Why it costs a bot:
        Every turn pays for DNS, TCP and TLS again, and some SDKs load their markets or ping the
        exchange while they are built. The loop is as slow as its handshakes.

    Example:
        import httpx

        def fetch_all(urls):
            pages = []
            for url in urls:
                with httpx.Client() as client:
                    pages.append(client.get(url).text)
            return pages

    Use instead:
        import httpx

        def fetch_all(urls):
            with httpx.Client() as client:
                return [client.get(url).text for url in urls]

    When it is fine:
        One client for each account, proxy or address of the loop; a collection of clients that is
        built once; a new attempt to connect after a failure; a client that serves a long inner
        loop.
    """
    client = where.client(call)
    if client is None or not client.is_client or client.library == "websocket-client":
        return
    loops = [loop for loop in where.data_loops(call.block) if _repeats(loop, where)]
    if not loops:
        return
    loop = loops[0]
    if _varies(call, loop, where) or fate(call, where) != "local":
        return
    region = _region(call, loop, where)
    if _leaves(loop, where) or _after_failure(call, loop, where):
        return
    if region is not None and used_for_long(region, where):
        return
    name = call.func.rpartition(".")[2]
    shared = region is not None and any(
        inner.kind in {"for", "comp"} and not where.is_constant(inner)
        for inner in map(where.block, where.below(region) - {loop.number})
    )
    yield Hit(
        call.place,
        call.block,
        message=f"a new {name} is built in every turn of the loop at line {loop.place[0]}",
        fix=f"Build the {name} once, before the loop.",
        severity=Severity.MEDIUM if shared else None,
        confidence=(
            Confidence.PROBABLE if client.evidence == "general" else where.confidence(call)
        ),
    )


def _repeats(loop: Block, where: Where) -> bool:
    if loop.kind == "while":
        return (where.index, loop.number) in where.hot_regions.loops
    return True


def _varies(call: Call, loop: Block, where: Where) -> bool:
    """Tell whether the arguments of the constructor change from turn to turn."""
    inside = where.below(loop.number)
    varying = set(loop.targets)
    for inner in inside:
        varying.update(where.block(inner).targets)
    for assign in where.file.assigns:
        constant = assign.value.kind == "const" or assign.value.ref == f"@{call.number}"
        if assign.block in inside and assign.op != "with" and not constant:
            varying.add(assign.target.partition(".")[0])
    return bool(varying.intersection(call.names) - {"self"})


def _region(call: Call, loop: Block, where: Where) -> int | None:
    """Return the block in which the client is used: its ``with``, else the loop's body."""
    for block in where.file.blocks:
        if block.kind == "with" and block.value and block.value.ref == f"@{call.number}":
            return block.number
    endless = (where.index, loop.number) in where.hot_regions.loops
    return None if endless else loop.number


def _leaves(loop: Block, where: Where) -> bool:
    """Tell whether the loop is left as soon as the work is done: an attempt, not an iteration."""
    inside = where.below(loop.number)
    return loop.kind != "comp" and any(
        jump.kind in {"break", "return"}
        and jump.block in inside
        and not any(True for _ in where.around(jump.block, "if", "except"))
        for jump in where.file.jumps
    )


def _after_failure(call: Call, loop: Block, where: Where) -> bool:
    for block in where.around(call.block):
        if block.number == loop.number:
            return False
        if block.kind in {"except", "if"}:
            return True
    return False
