"""PS306: a server that sends large answers as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.survey import survey

_APPS = {
    "flask.Flask": "Add flask-compress: Compress(app).",
    "quart.Quart": "Add quart-compress: Compress(app).",
    "fastapi.FastAPI": "Add app.add_middleware(GZipMiddleware, minimum_size=1000).",
    "fastapi.applications.FastAPI": "Add app.add_middleware(GZipMiddleware, minimum_size=1000).",
    "starlette.applications.Starlette": "Add Middleware(GZipMiddleware, minimum_size=1000).",
    "aiohttp.web.Application": "Call response.enable_compression() in a middleware.",
}
"""Applications, and what compresses their answers."""

_COMPRESSING = re.compile(
    r"(^|\.|_)(flask_compress|quart_compress|starlette_compress|flask_squeeze|brotli\w*|whitenoise"
    r"|gzip|zstd\w*)(\.|$)|(GZip|Brotli|Compress|Compression|Zstd)(Middleware|Responder)?$"
)
"""Modules and classes that compress answers."""

_STATIC = frozenset(
    {
        "send_from_directory", "send_static_file", "render_template", "StaticFiles", "add_static",
        "static", "FileResponse", "TemplateResponse",
    }
)  # fmt: skip

_JSON = frozenset({"jsonify", "json_response", "JSONResponse", "ORJSONResponse", "UJSONResponse"})

_ROWS = frozenset({"fetchall", "all", "to_dict", "fetch_ohlcv", "tolist"})
_DEPTH = 3

_MANY = re.compile(
    r"(history|histor(y|ical)|rows|records|candles|klines|trades|orders|ticks|items|results|series"
    r"|bars|logs|points|entries|positions)$",
    re.IGNORECASE,
)
"""Names of what has many parts."""


@rule("PS306", "uncompressed-responses", Severity.LOW, on=LibraryCall)
def uncompressed_responses(call: Call, where: Where) -> Iterator[Hit]:
    """Report web servers that send long JSON or static files and never compress anything.

    What it does:
        Finds applications of Flask, Quart, FastAPI, Starlette and aiohttp whose program serves
        static files, templates or JSON of many rows and names no compression anywhere. As info
        when only static files speak for it, which a proxy in front may compress.

    Why it costs a bot:
        JSON shrinks to a tenth with gzip. 1,000 candles are 120 kB, a second on a slow mobile
        link, and each dashboard that is open fetches them again and again.

    Example:
        from flask import Flask, jsonify

        app = Flask(__name__)

        @app.get("/history")
        def history():
            rows = [{"t": t, "price": 1.0} for t in range(1000)]
            return jsonify(rows)

    Use instead:
        from flask import Flask, jsonify
        from flask_compress import Compress

        app = Flask(__name__)
        Compress(app)

        @app.get("/history")
        def history():
            rows = [{"t": t, "price": 1.0} for t in range(1000)]
            return jsonify(rows)

    When it is fine:
        Behind a proxy that compresses (nginx, Cloudflare), and for answers of a few hundred bytes.
    """
    path = where.path(call)
    if path not in _APPS or _compresses(where):
        return
    json, static = _large_answers(where)
    sending = json or static
    if not sending:
        return
    yield Hit(
        call.place,
        call.block,
        message=f"the {path.rpartition('.')[2]} application sends {sending} without compression",
        fix=_APPS[path],
        severity=None if json else Severity.INFO,
        confidence=where.confidence(call),
    )


@survey(any)
def _compresses(where: Where) -> bool:
    """Tell whether anything in the program compresses answers, or speaks of it."""
    if any(
        _COMPRESSING.search(f"{entry.module}.{entry.name}".rstrip("."))
        for entry in where.file.imports
    ):
        return True
    return any(call.func.endswith(".enable_compression") for call in where.file.calls)


def _worst(parts: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the first long JSON and the first static file of the program, in words."""
    return (
        next((json for json, _ in parts if json), ""),
        next((static for _, static in parts if static), ""),
    )


@survey(_worst)
def _large_answers(where: Where) -> tuple[str, str]:
    """Return the first long JSON and the first static file that this file sends, in words."""
    json = static = ""
    for call in where.file.calls:
        last = call.func.rpartition(".")[2]
        place = f"({where.file.path}:{call.place[0]})"
        if not json and last in _JSON and call.args and _is_served(call, where):
            if _has_many(call.args[0], call, where, 0):
                json = f"JSON of many rows {place}"
        elif not static and last in _STATIC and _is_served(call, where):
            static = f"static files or pages {place}"
    return json, static


def _is_served(call: Call, where: Where) -> bool:
    """Tell whether a call belongs to a web framework."""
    return where.path(call).startswith(
        ("flask.", "quart.", "fastapi.", "starlette.", "aiohttp.web.")
    )


def _has_many(value: Value, call: Call, where: Where, depth: int) -> bool:
    """Tell whether an answer is a list, a table, or has one in it."""
    if depth > _DEPTH or value.kind == "comp":
        return value.kind == "comp"
    if value.kind == "dict":
        return any(_has_many(item, call, where, depth + 1) for item in value.items)
    if value.kind != "ref":
        return False
    made = where.call_of(value)
    if made is not None:
        last = made.func.rpartition(".")[2]
        return last in _ROWS or (last in {"list", "sorted"} and bool(made.args))
    if _MANY.search(value.ref.rpartition(".")[2]):
        return True
    bound = _bound(value, call, where)
    return bound is not None and _has_many(bound, call, where, depth + 1)


def _bound(value: Value, call: Call, where: Where) -> Value | None:
    """Return what a name in an answer was last bound to in its function."""
    blocks = where.file.blocks
    function = blocks[call.block].function
    bound = [
        assign.value
        for assign in where.file.assigns
        if assign.target == value.ref
        and assign.op == "="
        and blocks[assign.block].function == function
    ]
    return bound[-1] if bound else None
