"""PS505: a web endpoint that fetches and works out the same answer for every request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Function
from perfscan.analyzers.keeping import is_cached, remembers
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.network_reads import is_ordered
from perfscan.analyzers.project import Site
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import Reach, reaches, steps

_ROUTES = frozenset({"get", "route", "api_route"})
_FRAMEWORKS = frozenset({"flask", "fastapi", "quart", "sanic", "aiohttp"})
_MOMENTARY = re.compile(
    r"health|status|ping|ready|alive|metrics|login|logout|auth|callback|oauth|token|hook|search"
    r"|proxy|download|upload|stream|random|balance|position|order|now|test|debug|export|log|poll",
    re.IGNORECASE,
)
"""What an endpoint is called whose answer is another one each time, or is asked for once."""

_PERSONAL = re.compile(
    r"user|owner|account|session|profile|chat|customer|member|tenant|wallet|email|identity|login"
    r"|auth|credential|api_key|cookie|header|security|permission|principal|(^|_)me$",
    re.IGNORECASE,
)
"""Names of what makes an answer one for one person."""

_KEPT = re.compile(r"cache|redis|memo|lru|ttl", re.IGNORECASE)
_SELECT = re.compile(r"\s*(select|with)\s", re.IGNORECASE)
_MANY_ROWS = frozenset(
    {"fetchall", "fetchmany", "fetch", "fetch_all", "all", "scalars", "mappings"}
)
_WRITING = frozenset({"commit", "post", "write", "write_text", "to_sql", "to_csv", "dump"})
_TABLES = re.compile(r"pandas\.read_\w+|yfinance\..*|(pandas|polars)\.DataFrame\(\)\..*")
_DEPTH = 3


@rule("PS505", "uncached-endpoint", Severity.MEDIUM, on=Function)
def uncached_endpoint(function: Function, where: Where) -> Iterator[Hit]:
    """Report read-only endpoints that ask a server or database for every request.

    What it does:
        Looks at GET routes of Flask, FastAPI, Quart, Sanic and aiohttp that fetch from another
        service, read tables with pandas, or select many rows, when neither a decorator nor the code
        keeps the answer, nothing is written, and nothing in it belongs to one user.

    Why it costs a bot:
        Ten dashboards that refresh each second ask for the same thing ten times a second. Each
        request waits for the whole query and calculation, and the database does little else.

    Example:
        import requests
        from flask import Flask, jsonify

        app = Flask(__name__)

        @app.route("/prices/<symbol>")
        def prices(symbol):
            answer = requests.get(f"https://api.example.org/history/{symbol}", timeout=5)
            return jsonify(answer.json())

    Use instead:
        import requests
        from flask import Flask, jsonify
        from flask_caching import Cache

        app = Flask(__name__)
        cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})

        @app.route("/prices/<symbol>")
        @cache.cached(timeout=300)
        def prices(symbol):
            answer = requests.get(f"https://api.example.org/history/{symbol}", timeout=5)
            return jsonify(answer.json())

    When it is fine:
        Answers for one user, answers that must be of this very moment, endpoints that somebody
        calls once a day.
    """
    if not function.decorators or not _is_get_route(function, where):
        return
    if _MOMENTARY.search(function.name) or _is_personal(function, where):
        return
    if is_cached((where.index, function.number), where):
        return
    found = _read(function, where)
    if found is None:
        return
    site = where.program.site(found.sink)
    name = site.effect.readable if site.effect is not None else site.call.func
    yield Hit(
        function.place,
        function.block,
        message=f"{function.name}() runs {name}() anew for every request, and nothing is cached",
        fix=(
            "Keep the answer under its arguments, for minutes where it is history and for seconds "
            "where it is live: flask_caching, fastapi-cache or cachetools.TTLCache."
        ),
        confidence=Confidence.PROBABLE,
        trace=steps(where, found),
    )


def _is_get_route(function: Function, where: Where) -> bool:
    for entry in where.program.registrations.get((where.index, function.number), ()):
        root, _, method = entry.callback.target.partition(".")
        if root in _FRAMEWORKS and method.rpartition(".")[2] in _ROUTES:
            return all(_only_reads(where.call_of(item), where) for item in function.decorators)
    return False


def _only_reads(route: Call | None, where: Where) -> bool:
    methods = where.argument(route, -1, "methods") if route is not None else None
    return methods is None or all(item.const in {"GET", "HEAD"} for item in methods.items)


def _is_personal(function: Function, where: Where) -> bool:
    """Tell whether an endpoint knows who asks: by a parameter, a decorator or the session."""
    names = [param.name for param in function.params]
    for value in (*function.decorators, *[p.default for p in function.params if p.default]):
        call = where.call_of(value)
        names += [value.ref.rpartition(".")[2], *(call.names if call is not None else ())]
    for site in where.program.sites_of((where.index, function.number)):
        names += [*site.call.names, *site.call.func.split(".")]
    return any(_PERSONAL.search(name) for name in names)


# What it reads.


def _read(function: Function, where: Where) -> Reach | None:
    """Return the first thing that is read anew; None when something is written, or kept."""
    starts = [site.call for site in where.program.sites_of((where.index, function.number))]
    found: list[Reach] = []
    many = False
    for reach in reaches(where, starts, lambda site: True, _DEPTH):
        site = where.program.site(reach.sink)
        verb = site.call.func.rpartition(".")[2]
        if _KEPT.search(site.call.func) or _writes(site, verb) or _is_kept(reach, where):
            return None
        many = many or verb in _MANY_ROWS
        if _reads(site):
            found.append(reach)
    return next((one for one in found if many or not _is_query(one, where)), None)


def _reads(site: Site) -> bool:
    effect = site.effect
    if effect is None or site.confidence is Confidence.POSSIBLE:
        return False
    if effect.cost == "network" or _TABLES.fullmatch(effect.path):
        return True
    return effect.cost == "database" and _is_shared_select(site.call)


def _is_shared_select(call: Call) -> bool:
    text = call.args[0].const if call.args else None
    return isinstance(text, str) and bool(_SELECT.match(text)) and not _PERSONAL.search(text)


def _is_query(reach: Reach, where: Where) -> bool:
    """Tell whether a query was read, which gives many rows only when they are all fetched."""
    effect = where.program.site(reach.sink).effect
    return effect is not None and effect.cost == "database" and not _TABLES.fullmatch(effect.path)


def _writes(site: Site, verb: str) -> bool:
    effect = site.effect
    if effect is None:
        return False
    if effect.cost == "database" and verb.startswith("execute"):
        text = site.call.args[0].const if site.call.args else None
        return not isinstance(text, str) or not _SELECT.match(text)
    return verb in _WRITING or (effect.cost == "network" and is_ordered(verb))


def _is_kept(reach: Reach, where: Where) -> bool:
    """Tell whether a helper on the way, or the endpoint itself, returns what it has kept."""
    view = where.sibling(reach.sink[0])
    if remembers(view.file.calls[reach.sink[1]], view):
        return True
    return any(
        is_cached(target, where)
        for step in reach.path
        for target in where.program.site(step).targets
    )
