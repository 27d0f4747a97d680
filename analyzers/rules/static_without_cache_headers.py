"""PS507: static files that every visit of a page fetches or asks for again."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule
from perfscan.analyzers.survey import survey

_SENDS = {
    "flask.send_file": "max_age",
    "flask.helpers.send_file": "max_age",
    "flask.send_from_directory": "max_age",
    "flask.helpers.send_from_directory": "max_age",
    "quart.send_file": "cache_timeout",
    "quart.send_from_directory": "cache_timeout",
}
"""Calls that send a file, and how they are told how long it is good."""

_MOUNTS = frozenset(
    {
        "fastapi.staticfiles.StaticFiles", "starlette.staticfiles.StaticFiles",
        "aiohttp.web.static",
    }
)  # fmt: skip
"""What serves a folder and sends no Cache-Control at all."""

_APPS = ("flask.Flask", "quart.Quart")
_SETTING = "SEND_FILE_MAX_AGE_DEFAULT"
_HEADER = "cache-control"


@rule("PS507", "static-without-cache-headers", Severity.LOW, on=LibraryCall)
def static_without_cache_headers(call: Call, where: Where) -> Iterator[Hit]:
    """Report static files that are served without saying how long they may be kept.

    What it does:
        Finds static folders and sent files of Flask and Quart without max_age or
        SEND_FILE_MAX_AGE_DEFAULT, and StaticFiles of Starlette and FastAPI and static routes of
        aiohttp, in programs that set no Cache-Control header anywhere.

    Why it costs a bot:
        Without an age each page view asks for every script and picture again, if only to hear
        that nothing has changed: a round trip each, on the threads that should serve prices.

    Example:
        from flask import Flask

        app = Flask(__name__, static_folder="static")

    Use instead:
        from flask import Flask

        app = Flask(__name__, static_folder="static")
        app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31536000

    When it is fine:
        A proxy or CDN that serves the files, and files that are made anew for each request.
    """
    path = where.path(call)
    keyword = _SENDS.get(path)
    given = dict(call.keywords)
    if keyword is not None:
        if keyword in given or "**" in given or not _is_on_disk(call, where):
            return
    elif path in _APPS:
        if "static_folder" not in given and "static_url_path" not in given:
            return
        if given.get("static_folder", Value("other")).kind == "const" and (
            given["static_folder"].const is None
        ):
            return
    elif not _mounts(path) or _is_repeated(call, path, where):
        return
    if _sets_age(where):
        return
    yield _hit(call, path, keyword, where)


def _mounts(path: str) -> bool:
    return path in _MOUNTS or path == "aiohttp.web.Application().router.add_static"


def _is_repeated(call: Call, path: str, where: Where) -> bool:
    """Tell whether the file has said it already: one middleware is enough for all folders."""
    return any(where.path(other) == path for other in where.file.calls[: call.number])


def _is_on_disk(call: Call, where: Where) -> bool:
    """Tell whether a file is sent from a path, not from memory (``io.BytesIO``)."""
    value = where.argument(call, 0, "path_or_file")
    if value is None:
        return False
    return not where.value_path(value, call.block, call.number).startswith(("io.", "tempfile."))


@survey(any)
def _sets_age(where: Where) -> bool:
    """Tell whether the program says anywhere how long answers may be kept."""
    for assign in where.file.assigns:
        values = (assign.key, assign.value, Value("const", "", assign.target))
        if any(value is not None and _speaks(value) for value in values):
            return True
    for call in where.file.calls:
        given = (*call.args, *(value for _, value in call.keywords))
        names = (name for name, _ in call.keywords)
        if any(map(_speaks, given)) or any(name == _SETTING for name in names):
            return True
    return False


def _speaks(value: Value) -> bool:
    text = value.const
    if isinstance(text, str) and (text.lower() == _HEADER or _SETTING in text):
        return True
    return any(map(_speaks, (*value.items, *value.keys))) or "cache_control" in value.ref


def _hit(call: Call, path: str, keyword: str | None, where: Where) -> Hit:
    name = path.replace("()", "").rpartition(".")[2]
    if keyword is not None:
        message = f"{where.name(call.block)}() sends a file without saying how long it may be kept"
        fix = f"Pass {keyword}, a year for files whose name changes with their content."
    elif path in _APPS:
        message = f"{name} serves {_folder(call)} without saying how long the files may be kept"
        fix = f"Set app.config['{_SETTING}'], a year for files whose name changes."
    else:
        message = f"{name} serves files without a Cache-Control header"
        fix = "Add a middleware that sets Cache-Control: public, max-age for the static path."
    return Hit(call.place, call.block, message=message, fix=fix, confidence=where.confidence(call))


def _folder(call: Call) -> str:
    folder = dict(call.keywords).get("static_folder")
    text = folder.const if folder is not None else None
    return f"the folder {text}" if isinstance(text, str) else "its static folder"
