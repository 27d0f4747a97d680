"""PS601: a network call that may wait for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.knowledge import Timeout
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.releases import majors
from perfscan.analyzers.survey import survey

_POSITIONS = {
    "urllib.request.urlopen": 2,
    "socket.create_connection": 1,
    "websocket.create_connection": 1,
    "http.client.HTTPConnection": 2,
    "http.client.HTTPSConnection": 2,
    "smtplib.SMTP": 3,
    "ftplib.FTP": 4,
    "imaplib.IMAP4": 2,
}
"""Where the timeout stands when it is not named; others take it by keyword only."""

_ALSO = {
    "pymongo.MongoClient": ("socketTimeoutMS",),
    "redis.Redis": ("connection_pool",),
    "redis.asyncio.Redis": ("connection_pool",),
}
"""Other arguments that bound the wait, or bring somebody else's bound."""

_SINCE = {"redis": 8}
"""Major versions from which a library has a limit of its own: 5 seconds, in redis-py's case."""

_ENDLESS = re.compile(r"stream|event|sse\b|subscri|long_?poll", re.IGNORECASE)
"""What addresses of answers without an end are called."""

_LIMITS = (
    "asyncio.timeout", "asyncio.timeout_at", "async_timeout.timeout", "anyio.fail_after",
    "anyio.move_on_after", "trio.fail_after", "trio.move_on_after",
)  # fmt: skip

_SOCKETS = frozenset({"urllib", "socket", "smtplib", "imaplib", "poplib", "ftplib", "http.client"})
"""Libraries that heed socket.setdefaulttimeout(); requests does not."""

_PARTIAL = ("connect", "sock_connect", "sock_read")


@rule("PS601", "missing-timeout", Severity.HIGH, on=LibraryCall, fixable="unsafe")
def missing_timeout(call: Call, where: Where) -> Iterator[Hit]:
    """Report network calls without a time limit.

    What it does:
        Knows for each library whether it waits for ever by default (requests, urllib, sockets,
        smtplib, psycopg2, pymysql, pymongo) or has a limit (httpx, aiohttp). Reports calls that
        give no timeout to the former and `timeout=None` given to either. Of redis-py, whose limit
        is new in version 8, it says so as low when the project requires no version.

    Why it costs a bot:
        A server that accepts the connection and never answers stops the bot without an error: no
        exception, no log line, no retry. Everything behind the call waits with it.

    Example:
        import requests

        def price(symbol):
            return requests.get(f"https://api.example.org/price/{symbol}").json()

    Use instead:
        import requests

        def price(symbol):
            return requests.get(f"https://api.example.org/price/{symbol}", timeout=5).json()

    When it is fine:
        When the limit is set elsewhere: `asyncio.timeout` around an awaited call, an adapter
        mounted on the session, `socket.setdefaulttimeout`, or keyword arguments that are passed
        through.
    """
    if where.paths(call) == ("aiohttp.ClientTimeout",):
        yield from _client_timeout(call, where)
        return
    limit, path, evidence = _limit_of(call, where)
    if limit is None or where.confidence(call) is Confidence.POSSIBLE:
        return
    given = _given(call, where, limit, path)
    if given == "limited" or (given == "absent" and limit.default is not None):
        return
    if given == "none" and _is_endless_answer(call):
        return
    if _limited_around(call, where) or _limited_before(call, where):
        return
    severity, doubt = _weigh(call, path, given, where)
    if severity is None:
        return
    readable = path.replace("().", ".").removesuffix("()")
    absent = "no timeout" if limit.parameter == "timeout" else f"no {limit.parameter}"
    what = f"{limit.parameter}=None lets" if given == "none" else f"{absent} lets"
    yield Hit(
        call.place,
        call.block,
        message=f"{what} {readable}() wait for ever{doubt}",
        fix=(
            f"Pass {limit.parameter}={5000 if limit.unit == 'ms' else 5}, or what the slowest "
            "good answer needs."
        ),
        severity=severity,
        confidence=(Confidence.PROBABLE if evidence == "general" else where.confidence(call)),
    )


def _weigh(call: Call, path: str, given: str, where: Where) -> tuple[Severity | None, str]:
    """Return the severity, None for no finding, and what it assumes.

    A database stands beside the bot, so it hangs more seldom than somebody else's server.
    """
    client, effect = where.client(call), where.effect(call)
    cost = client.cost if client is not None else effect.cost if effect is not None else ""
    usual = Severity.MEDIUM if cost == "database" else Severity.HIGH
    library = path.partition(".")[0]
    if given == "none" or library not in _SINCE:
        return usual, ""
    low, high = majors(where.program, library)
    since = _SINCE[library]
    if low is not None and low >= since:
        return None, ""
    if high is not None and high < since:
        return usual, ""
    return Severity.LOW, f" with {library} before version {since}, and no version is required"


def _limit_of(call: Call, where: Where) -> tuple[Timeout | None, str, str]:
    """Return the limit that this very call takes, the callee's path and the evidence."""
    client = where.client(call)
    if client is not None and client.timeout is not None:
        takes_it = client.timeout.at == "constructor" or client.timeout.default is not None
        return (client.timeout if takes_it else None), client.name, client.evidence
    effect = where.effect(call)
    if effect is None or effect.timeout is None or effect.cost == "subprocess":
        return None, "", ""
    if effect.on_instance and effect.timeout.at == "constructor":
        return None, "", ""
    return effect.timeout, effect.path, effect.evidence


def _given(call: Call, where: Where, limit: Timeout, path: str) -> str:
    """Return ``limited``, ``none`` or ``absent``; what cannot be seen counts as limited."""
    value: Value | None = None
    for name, candidate in call.keywords:
        if name == "**":
            return "limited"
        if name == limit.parameter or name in _ALSO.get(path, ()):
            value = candidate
    position = _POSITIONS.get(path)
    if value is None:
        if any(argument.kind == "star" for argument in call.args):
            return "limited"
        if position is not None and len(call.args) > position:
            value = call.args[position]
    if value is None:
        return "limited" if any(_names(item, limit.parameter) for item in call.args) else "absent"
    return "none" if value.kind == "const" and value.const is None else "limited"


def _is_endless_answer(call: Call) -> bool:
    """Tell whether ``timeout=None`` is meant: the answer is a stream of events."""
    words = (*call.names, *(str(value.const) for value in call.args if value.const))
    return any(_ENDLESS.search(word) for word in words)


def _names(value: Value, parameter: str) -> bool:
    """Tell whether an address or a DSN sets the limit: ``"dbname=bot connect_timeout=5"``."""
    if isinstance(value.const, str) and parameter in value.const:
        return True
    return any(_names(item, parameter) for item in value.items)


def _limited_around(call: Call, where: Where) -> bool:
    """Tell whether something around the call gives up in time."""
    for block in where.around(call.block, "with"):
        manager = where.call_of(block.value)
        if manager is not None and where.path(manager) in _LIMITS:
            return True
    owner = where.file.calls[call.owner] if call.owner >= 0 else None
    return owner is not None and owner.func.rpartition(".")[2] in {"wait_for", "gather"}


def _limited_before(call: Call, where: Where) -> bool:
    """Tell whether the session, the socket module or the project's own class sets the limit."""
    effect = where.effect(call)
    library = effect.library if effect else ""
    if library in _SOCKETS and _has_default(where):
        return True
    receiver = call.func.rpartition(".")[0]
    if _is_own(Value("ref", receiver), call, where):
        return True
    if not receiver or receiver.startswith("@"):
        return False
    name = receiver.rpartition(".")[2]
    for other in where.file.calls:
        owner, _, method = other.func.rpartition(".")
        if owner.rpartition(".")[2] == name:
            if method == "mount" and len(other.args) > 1 and _is_own(other.args[1], other, where):
                return True
            if method == "settimeout":
                return True
    return any(
        assign.target.startswith(f"{receiver}.") and assign.target.endswith(("request", "timeout"))
        for assign in where.file.assigns
    )


def _is_own(value: Value, call: Call, where: Where) -> bool:
    return any(
        thing.kind in {"instance", "class"}
        for thing in where.things(value, call.block, call.number)
    )


@survey(any)
def _has_default(where: Where) -> bool:
    return any("socket.setdefaulttimeout" in where.paths(call) for call in where.file.calls)


def _client_timeout(call: Call, where: Where) -> Iterator[Hit]:
    """Report ``aiohttp.ClientTimeout(total=None)`` unless a part of the exchange is limited."""
    total = where.argument(call, 0, "total")
    given = {name for name, value in call.keywords if value.const is not None or value.ref}
    if total is None or total.kind != "const" or total.const is not None:
        return
    if given.isdisjoint((*_PARTIAL, "**")):
        yield Hit(
            call.place,
            call.block,
            message="total=None lets every request of this aiohttp client wait for ever",
            fix="Give a total, or sock_connect and sock_read for long answers.",
        )
