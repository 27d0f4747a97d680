"""PS306: a server that sends large answers as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, rule

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

_MANY = re.compile(
    r"(history|histor(y|ical)|rows|records|candles|klines|trades|orders|ticks|items|results|series"
    r"|bars|logs|points|entries|positions)$",
    re.IGNORECASE,
)
"""Names of what has many parts."""


@rule("PS306", "uncompressed-responses", Severity.LOW, on=Call)
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
    if path not in _APPS or where.program.once(_compresses):
        return
    sending = where.program.once(_large_answers)
    if not sending:
        return
    json = "JSON" in sending
    yield Hit(
        call.place,
        call.block,
        message=f"the {path.rpartition('.')[2]} application sends {sending} without compression",
        fix=_APPS[path],
        severity=None if json else Severity.INFO,
        confidence=where.confidence(call),
    )


def _compresses(program: Program) -> bool:
    """Tell whether anything in the program compresses answers, or speaks of it."""
    for facts in program.files:
        if any(
            _COMPRESSING.search(f"{entry.module}.{entry.name}".rstrip("."))
            for entry in facts.imports
        ):
            return True
        if any(call.func.endswith(".enable_compression") for call in facts.calls):
            return True
    return False


def _large_answers(program: Program) -> str:
    """Return which large answers the program sends, in words; "" for none."""
    static = ""
    for file, facts in enumerate(program.files):
        for call in facts.calls:
            last = call.func.rpartition(".")[2]
            if last in _JSON and call.args and _is_long(program, file, call, call.args[0]):
                return f"JSON of many rows ({facts.path}:{call.place[0]})"
            if not static and last in _STATIC and _is_served(program, file, call):
                static = f"static files or pages ({facts.path}:{call.place[0]})"
    return static


def _is_served(program: Program, file: int, call: Call) -> bool:
    """Tell whether a call belongs to a web framework."""
    things = program.sites[file][call.number].things
    return any(
        thing.path.startswith(("flask.", "quart.", "fastapi.", "starlette.", "aiohttp.web."))
        for thing in things
    )


def _is_long(program: Program, file: int, call: Call, value: Value) -> bool:
    """Tell whether an answer is a list, a table, or has one in it."""
    if not _is_served(program, file, call):
        return False
    return _has_many(value, program, file, call, 0)


def _has_many(value: Value, program: Program, file: int, call: Call, depth: int) -> bool:
    if depth > 3:
        return False
    if value.kind == "comp":
        return True
    if value.kind == "dict":
        return any(_has_many(item, program, file, call, depth + 1) for item in value.items)
    if value.kind != "ref":
        return False
    if value.ref.startswith("@") and value.ref[1:].isdigit():
        made = program.files[file].calls[int(value.ref[1:])]
        last = made.func.rpartition(".")[2]
        if last in {"list", "sorted"} and made.args:
            return True
        return last in {"fetchall", "all", "to_dict", "fetch_ohlcv", "tail", "tolist"}
    if _MANY.search(value.ref.rpartition(".")[2]):
        return True
    bound = _bound(value, program, file, call)
    return bound is not None and _has_many(bound, program, file, call, depth + 1)


def _bound(value: Value, program: Program, file: int, call: Call) -> Value | None:
    """Return what a name in an answer was last bound to in its function."""
    facts = program.files[file]
    function = facts.blocks[call.block].function
    bound = [
        assign.value
        for assign in facts.assigns
        if assign.target == value.ref
        and assign.op == "="
        and facts.blocks[assign.block].function == function
    ]
    return bound[-1] if bound else None
