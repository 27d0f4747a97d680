"""PS305: a connection pool that fits neither the server nor the program's own concurrency."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.literals import number
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.survey import survey
from perfscan.analyzers.thread_clients import CONNECTIONS, Crush, crush

_POOLS = {
    "aiohttp.TCPConnector": ((0, "limit", 100), (-1, "limit_per_host", 0)),
    "httpx.Limits": ((-1, "max_connections", 100), (-1, "max_keepalive_connections", 20)),
    "requests.adapters.HTTPAdapter": ((1, "pool_maxsize", 10),),
    "urllib3.PoolManager": ((-1, "maxsize", 1),),
}
"""The sizes that a constructor takes: position, keyword, default (0 is no limit)."""

_UNLIMITED = {"aiohttp.TCPConnector": 0, "httpx.Limits": None}
_SHARED = ("requests.Session", "requests.sessions.Session")

_SEMAPHORES = ("asyncio.Semaphore", "asyncio.BoundedSemaphore", "anyio.Semaphore")
_THREADS = (
    "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.thread.ThreadPoolExecutor",
    "multiprocessing.pool.ThreadPool",
)  # fmt: skip
_SIZES = {
    "Semaphore": "value",
    "BoundedSemaphore": "value",
    "ThreadPoolExecutor": "max_workers",
    "ThreadPool": "processes",
}
"""What the makers of concurrency are called, and the keyword of their size."""


@rule("PS305", "pool-limits", Severity.INFO, on=LibraryCall)
def pool_limits(call: Call, where: Where) -> Iterator[Hit]:
    """Report connection pools without a bound, and pools smaller than the program's concurrency.

    What it does:
        Looks at aiohttp.TCPConnector, httpx.Limits, requests' HTTPAdapter and urllib3's
        PoolManager. Reports limits that are switched off, a limit of one connection for each host,
        and sizes below the number of workers that the same file writes down (a semaphore, a
        thread pool), a plain requests.Session with its ten connections included. Thread pools
        whose functions share such a session, or an SDK's client that is built on one (pybit,
        ccxt, python-binance), are followed through the program and weigh medium.

    Why it costs a bot:
        Without a bound a burst opens hundreds of connections and meets the server's limit or the
        bot's own file descriptors. A pool that is too small makes workers wait in line, or, with
        requests, drops connections ("Connection pool is full") and opens new ones each time.

    Example:
        import aiohttp

        def connector():
            return aiohttp.TCPConnector(limit=0)

    Use instead:
        import aiohttp

        def connector():
            return aiohttp.TCPConnector(limit=100, limit_per_host=10)

    When it is fine:
        A bound that something else keeps, such as a semaphore around every request.
    """
    paths = where.paths(call)
    if not paths:
        return
    shared = crush(call, where)
    if shared is not None:
        yield _crushed(call, shared, where)
    elif paths[0] in _POOLS:
        yield from _pool(call, paths[0], where)
    elif paths[0] in _SHARED:
        yield from _session(call, where)


def _crushed(call: Call, shared: Crush, where: Where) -> Hit:
    return Hit(
        call.place,
        call.block,
        message=(
            f"{shared.threads:g} threads share {shared.connections} connections in "
            f"{shared.request}() ({shared.path}:{shared.line}); those beyond are thrown away "
            "after one request"
        ),
        fix=(
            f"Run {shared.connections} threads, or mount an HTTPAdapter with a pool_maxsize of "
            f"{shared.threads:g} on the session."
        ),
        severity=Severity.MEDIUM,
        confidence=where.confidence(call),
    )


def _pool(call: Call, path: str, where: Where) -> Iterator[Hit]:
    given = dict(call.keywords)
    if "**" in given:
        return
    name = path.rpartition(".")[2]
    for position, keyword, default in _POOLS[path]:
        value = where.argument(call, position, keyword)
        if value is not None and _is_unlimited(value, path, keyword):
            if not _has_semaphore(where):
                yield _hit(call, f"{name}({keyword}={value.const}) has no bound", where)
            return
        size = number(value, where, call.block) if value is not None else default
        if size == 1 and keyword == "limit_per_host":
            yield _hit(call, f"{name} lets one request at a time through to each host", where)
            return
        workers = _workers(where, path)
        total = keyword != "max_keepalive_connections"
        if size and total and workers is not None and workers[0] > size:
            yield _too_small(call, f"{name} holds {size:g} connections", workers, where)
            return


def _is_unlimited(value: Value, path: str, keyword: str) -> bool:
    if path not in _UNLIMITED or keyword not in {"limit", "max_connections"}:
        return False
    return value.kind == "const" and value.const == _UNLIMITED[path] and value.const is not False


def _session(call: Call, where: Where) -> Iterator[Hit]:
    """Report a shared requests.Session behind a bigger thread pool."""
    workers = _workers(where, "requests")
    if workers is None or workers[0] <= CONNECTIONS or _mounts(where):
        return
    if crush(workers[1], where) is not None:
        return  # it is told there
    if where.loops(call.block) or call.use == "with":
        return
    message = f"requests.Session keeps {CONNECTIONS} connections"
    yield _too_small(call, message, workers, where)


def _mounts(where: Where) -> bool:
    return any(call.func.endswith(".mount") for call in where.file.calls)


def _workers(where: Where, path: str) -> tuple[float, Call] | None:
    """Return the largest concurrency that the file writes down, and where."""
    makers = _SEMAPHORES if path.startswith(("aiohttp", "httpx")) else _THREADS
    found: list[tuple[float, Call]] = []
    for call in where.file.calls:
        last = call.func.rpartition(".")[2]
        if last in _SIZES and where.path(call) in makers:
            size = number(where.argument(call, 0, _SIZES[last]), where, call.block)
            if size is not None:
                found.append((size, call))
    return max(found, key=lambda pair: pair[0], default=None)


@survey(any)
def _has_semaphore(where: Where) -> bool:
    return any(
        call.func.endswith("Semaphore") and where.path(call) in _SEMAPHORES
        for call in where.file.calls
    )


def _hit(call: Call, message: str, where: Where) -> Hit:
    return Hit(
        call.place,
        call.block,
        message=message,
        fix="Give a limit that the server accepts: 100 in all and 10 for each host are usual.",
        confidence=where.confidence(call),
    )


def _too_small(call: Call, what: str, workers: tuple[float, Call], where: Where) -> Hit:
    size, other = workers
    return Hit(
        call.place,
        call.block,
        message=f"{what}, but line {other.place[0]} lets {size:g} workers run at once",
        fix=f"Give the pool at least {size:g} connections, or run fewer workers.",
        severity=Severity.LOW,
        confidence=where.confidence(call),
    )
