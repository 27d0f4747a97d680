"""Recognises on the wire what begins and ends one unit of the bot's work, and its key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from jsonpath import JSONPath
from jsonpath import compile as compile_path
from jsonpath.exceptions import JSONPathError

from perfscan.errors import InputError
from perfscan.replay.json_text import json_of, loads
from perfscan.replay.model import KeyRule, Request, RequestEffect

_QUERY = re.compile(r"[?#]")


def request_matches(pattern: str, method: str, url: str) -> bool:
    """Tell whether a request fits ``pattern``: method and URL, ``*`` within a path segment.

    The query of ``url`` does not matter.
    """
    return request_parts(pattern, method, url) is not None


def any_matches(patterns: Iterable[str], method: str, url: str) -> bool:
    """Tell whether a request fits one of ``patterns``."""
    return any(request_matches(one, method, url) for one in patterns)


def request_parts(pattern: str, method: str, url: str) -> tuple[str, ...] | None:
    """Return what stands for each ``*`` of ``pattern``; None for a request that does not fit."""
    wanted, address = _request_pattern(pattern)
    match = address.fullmatch(without_query(url)) if method == wanted else None
    return None if match is None else match.groups()


def without_query(url: str) -> str:
    """Return scheme, host and path of ``url``; an empty path becomes ``/``."""
    scheme, _, rest = _QUERY.split(url, maxsplit=1)[0].partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}/{path}"


def query_of(target: str) -> str:
    """Return the query of a URL or of its path; never fails, whatever a client sends."""
    return target.partition("#")[0].partition("?")[2]


def inbound_matches(pattern: str, method: str, target: str) -> bool:
    """Tell whether a request to the bot fits ``pattern``: method and path, as ``GET /api/*``."""
    wanted, _, path = pattern.partition(" ")
    return request_matches(f"{wanted} http://bot{path}", method, f"http://bot{target}")


def holds(containing: str | None, text: str) -> bool:
    """Tell whether ``text`` holds a regular expression; all text holds None."""
    return containing is None or _pattern(containing).search(text) is not None


def effect_key(rule: RequestEffect, request: Request) -> str | None:
    """Return the key of the item that ``request`` ends, or None where it has none.

    Method and URL are the caller's to compare (:func:`request_matches`). The payload is the body:
    JSON, a form, or text; a request without body is read by its query.
    """
    return read_key(rule.key, effect_payload(request))


def effect_payload(request: Request) -> Any:
    """Return what a request says: JSON as it is, a form or query as an object, or text."""
    text = text_of(request.body)
    if not text:
        return dict(parse_qsl(query_of(request.target), keep_blank_values=True))
    try:
        return loads(text)
    except ValueError:
        pass
    form = any(
        name.lower() == "content-type" and "x-www-form-urlencoded" in value.lower()
        for name, value in request.headers
    )
    return dict(parse_qsl(text, keep_blank_values=True)) if form else text


def values_at(path: str, payload: Any) -> list[Any]:
    """Return all values of a JSON payload at a JSONPath. Raises InputError for a bad path."""
    if not isinstance(payload, dict | list):
        return []
    return list(_path(path).findall(payload))


def locations(path: str, payload: Any) -> list[tuple[int | str, ...]]:
    """Return where in a JSON payload the values of a JSONPath stand: keys and indices."""
    if not isinstance(payload, dict | list):
        return []
    return [match.parts for match in _path(path).finditer(payload)]


def all_text(payload: Any) -> str:
    """Return the texts of a payload, one a line, without names, quotes and escapes."""
    if isinstance(payload, dict):
        payload = list(payload.values())
    if isinstance(payload, list):
        return "\n".join(filter(None, map(all_text, payload)))
    return payload if isinstance(payload, str) else ""


def read_key(rule: KeyRule, payload: Any) -> str | None:
    """Return the key that ``rule`` finds in JSON or text, None where there is none."""
    if rule.path is not None:
        if isinstance(payload, str):
            payload = json_of(payload)
        found = values_at(rule.path, payload)
        if not found or found[0] is None:
            return None
        payload = found[0]
    text = payload if isinstance(payload, str) else json.dumps(payload, sort_keys=True)
    if rule.pattern is None:
        return text
    match = _pattern(rule.pattern).search(text)
    if match is None:
        return None
    return match[1] if match.re.groups else match[0]


def text_of(data: str | bytes) -> str:
    """Return a message or body as text; bytes that are no UTF-8 become escapes, never equal."""
    return data if isinstance(data, str) else data.decode("utf-8", "backslashreplace")


@cache
def _request_pattern(pattern: str) -> tuple[str, re.Pattern[str]]:
    method, _, url = pattern.partition(" ")
    pieces = map(re.escape, without_query(url).split("*"))
    return method, re.compile("([^/]*)".join(pieces))


@cache
def _path(path: str) -> JSONPath:
    try:
        compiled = compile_path(path)
    except JSONPathError as error:
        raise InputError(
            f"not a JSONPath: {error.args[0]}", where=path, remedy="write it as in $.params.key"
        ) from error
    if not isinstance(compiled, JSONPath):
        raise InputError(
            "a union of JSONPaths has no single value", where=path, remedy="give one JSONPath"
        )
    return compiled


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise InputError(
            f"not a regular expression: {error}", where=pattern, remedy="correct the pattern"
        ) from error
