"""PS304: several requests to one server, each over a connection of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, FileFacts
from perfscan.analyzers.literals import address, host
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_MANY = 3
"""So many calls of one file to one server are worth a session."""

_SESSIONS = {
    "requests": "requests.Session",
    "httpx": "httpx.Client",
    "curl_cffi": "curl_cffi.requests.Session",
}


@rule("PS304", "requests-no-session", Severity.LOW, on=FileFacts)
def requests_no_session(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report calls such as requests.get to one server that never share a connection.

    What it does:
        Finds single calls of requests and httpx in a loop over data whose address has a fixed
        beginning, and three or more of them in one file that go to the same host. Calls that an
        endless loop or a handler repeats are PS301's.

    Why it costs a bot:
        requests.get opens a connection, uses it once and closes it. Every call pays the TCP and
        TLS handshakes again, 100 to 300 ms, where a session pays them once.

    Example:
        import requests

        API = "https://api.example.org"

        def prices(symbols):
            return [requests.get(f"{API}/price/{s}", timeout=5).json() for s in symbols]

    Use instead:
        import requests

        API = "https://api.example.org"

        def prices(symbols):
            with requests.Session() as session:
                return [session.get(f"{API}/price/{s}", timeout=5).json() for s in symbols]

    When it is fine:
        A single call, and calls to a different server each time.
    """
    calls = [call for call in file.calls if _is_single(call, where)]
    if not calls:
        return
    by_host: dict[str, list[Call]] = defaultdict(list)
    looped: set[str] = set()
    for call in calls:
        name = host(address(where.argument(call, _position(call), "url"), where, call.block))
        loop = _loop(call, where)
        if name and loop is not None and name not in looped:
            looped.add(name)
            yield _hit(call, f"in each turn of the loop at line {loop.place[0]}", name, where)
        elif name:
            by_host[name].append(call)
    for name, group in sorted(by_host.items()):
        if len(group) >= _MANY and name not in looped:
            yield _hit(
                group[0], f"and {len(group) - 1} more calls of this file do, too", name, where
            )


def _is_single(call: Call, where: Where) -> bool:
    if "one_shot" not in where.roles(call) or where.confidence(call) is Confidence.POSSIBLE:
        return False
    effect = where.effect(call)
    return effect is not None and effect.library in _SESSIONS and where.hot(call.block) is None


def _position(call: Call) -> int:
    """Return where the address stands: behind the method in ``requests.request("GET", url)``."""
    return 1 if call.func.rpartition(".")[2] in {"request", "stream"} else 0


def _loop(call: Call, where: Where) -> Block | None:
    for loop in where.data_loops(call.block):
        counter = where.call_of(loop.value)
        counts = counter is not None and counter.func == "range"
        attempts = counts and not set(loop.targets).intersection(call.names)
        if loop.kind in {"for", "comp"} and not attempts:
            return loop
    return None


def _hit(call: Call, how: str, name: str, where: Where) -> Hit:
    effect = where.effect(call)
    assert effect is not None
    session = _SESSIONS[effect.library]
    return Hit(
        call.place,
        call.block,
        message=f"{effect.readable}() opens a new connection to {name}, {how}",
        fix=f"Build one {session} and call its methods, so that the connection is kept.",
        confidence=where.confidence(call),
    )
