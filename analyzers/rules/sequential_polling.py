"""PS212: a worker thread that asks for one item after another."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.amounts import is_handful
from perfscan.analyzers.blocking import is_sink
from perfscan.analyzers.context import Where
from perfscan.analyzers.coroutines import spoken
from perfscan.analyzers.facts import Block, Call
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import is_exceptional, way_to
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import is_ordered
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import is_stream
from perfscan.analyzers.turns import depends_on_earlier_turn, ends_early, is_paced, varies

_DEPTH = 3
"""Further down, whether a turn reaches the network at all is a guess."""


@rule("PS212", "sequential-polling", Severity.MEDIUM, on=Block)
def sequential_polling(loop: Block, where: Where) -> Iterator[Hit]:
    """Report threads and request handlers that ask a server for one item after another.

    What it does:
        Looks at `for` loops over data in code that a worker thread runs again and again (a stream
        thread with an endless loop, a job, a Flask endpoint) and that make one blocking network
        read for each item, when no turn needs the one before, nothing ends the loop early and
        nothing paces it.

    Why it costs a bot:
        A round takes the sum of all round trips: fifty tickers at 200 ms are ten seconds, so each
        price is up to ten seconds old. Eight threads, or one coroutine, bring it to little more
        than a second.

    Example:
        import threading
        import requests

        def stream(tickers, prices):
            while True:
                for ticker in tickers:
                    url = f"https://api.example.org/{ticker}"
                    prices[ticker] = requests.get(url, timeout=5).json()

        def start(tickers, prices):
            threading.Thread(target=stream, args=(tickers, prices), daemon=True).start()

    Use instead:
        import threading
        import requests
        from concurrent.futures import ThreadPoolExecutor

        session = requests.Session()
        pool = ThreadPoolExecutor(8)

        def fetch(ticker):
            return session.get(f"https://api.example.org/{ticker}", timeout=5).json()

        def stream(tickers, prices):
            while True:
                prices.update(zip(tickers, pool.map(fetch, tickers)))

        def start(tickers, prices):
            threading.Thread(target=stream, args=(tickers, prices), daemon=True).start()

    When it is fine:
        When a limit of the server allows one request at a time, when a turn needs the one before,
        and over a handful of fixed items.
    """
    if loop.kind not in {"for", "comp"} or loop.is_async or not where.in_thread(loop.number):
        return
    heat = where.hot(loop.number)
    if heat is None or is_handful(loop, where) or where.reached_from_loop(loop.number):
        return
    if is_exceptional(heat, where):
        return
    calls = where.calls_in(loop.number)
    reads = [call for call in calls if _reads(call, where) and where.loops(call.block)[0] == loop]
    if not reads or is_paced(calls, where) or ends_early(loop, where):
        return
    if any(_acts(call, where) for call in calls):
        return
    if any(depends_on_earlier_turn(call, loop, where) for call in reads):
        return
    for call in reads:
        if varies(call, loop, where):
            yield _hit(call, heat, where)
            return


def _reads(call: Call, where: Where) -> bool:
    """Tell whether a call blocks for a network read whose order does not matter."""
    if is_ordered(call.func.rpartition(".")[2]):
        return False
    site = where.site(call)
    effect = site.effect
    if effect is not None:
        return is_sink(site) and effect.cost == "network" and not is_stream(effect, where)
    for target in site.targets:
        below = where.blocking(target)
        helper = where.program.function(target)
        if below is None or helper is None or below.depth > _DEPTH:
            continue
        inner = where.program.site(below.sink).call.func.rpartition(".")[2]
        if below.effect.cost == "network" and not is_stream(below.effect, where):
            return not is_ordered(helper.name) and not is_ordered(inner)
    return False


def _acts(call: Call, where: Where) -> bool:
    """Tell whether a call changes something on a server: then the turns keep their order."""
    if not is_ordered(call.func.rpartition(".")[2]):
        return False
    below = [where.blocking(target) for target in where.targets(call)]
    return is_sink(where.site(call)) or any(found is not None for found in below)


def _hit(call: Call, heat: Heat, where: Where) -> Hit:
    return Hit(
        call.place,
        call.block,
        message=(
            f"{spoken(call, where)}() is called for one item after another in"
            f" {where.name(call.block)}, so each turn of the {heat.label} takes the sum of all"
            " round trips"
        ),
        fix="Hand the items to a shared ThreadPoolExecutor's map, or gather them in a coroutine.",
        confidence=Confidence.PROBABLE,
        trace=way_to(call, where, heat),
    )
