"""What makes two requests the same one: a normalised key without secrets, times and nonces."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from perfscan.replay.items import (
    effect_key,
    locations,
    query_of,
    request_matches,
    request_parts,
    without_query,
)
from perfscan.replay.json_text import loads
from perfscan.replay.model import Headers, MatchRules, Open, Request, RequestEffect
from perfscan.replay.secret_places import is_public_identifier, normalise_secrets

_ADDRESS_END = re.compile(r"[?#]")
REMEMBERED_BODY = 4096
"""Requests with a longer body are read anew each time."""
LONG_BODY = 16 * 1024
"""A key holds no more characters of a body; what follows is told apart by its hash."""
VOLATILE = frozenset(
    ["timestamp", "nonce", "signature", "sign", "sig", "recvwindow", "apikey", "_"]
)
"""Names, lower-case and without ``-`` and ``_``, of what differs in every request of an exchange's
API. A value that is a public identifier (a transaction signature, say) is kept all the same."""

OF_ITEM = "effect of item "
"""Stands before the item's key as the body of a request that ends an item."""
PARAMETERS = frozenset(["params", "args", "arg"])
"""Where JSON-RPC and the WebSocket APIs of exchanges put what a call is about."""


@dataclass(frozen=True, slots=True)
class Key:
    """A request without what may differ between two requests for the same thing."""

    method: str
    host: str
    """With the port where it is not the scheme's own."""
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: str = ""
    """Canonical JSON, form or text; of a JSON-RPC call its method and parameters."""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that is asked for: an HTTP request, or one element of a JSON-RPC batch."""

    key: Key
    exact: str
    """What volatile fields said, to tell requests of one key apart where they do say it."""
    is_rpc: bool = False
    rpc_id: Any = None
    parts: tuple[str, ...] = ()
    """What stands in the path where the rules say that it does not matter."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All that one HTTP request asks for; more than one call only for a batch."""

    calls: tuple[Call, ...]
    is_batch: bool = False


def host_key(opened: Open) -> str:
    """Return the host of a connection as keys hold it."""
    default = 443 if opened.scheme == "https" else 80
    return host_and_port(opened.host, opened.port, default)


def host_and_port(host: str, port: int, default: int) -> str:
    """Return ``host`` in lower case, with its port unless that is ``default``."""
    host = host.lower().rstrip(".")
    return host if port == default else f"{host}:{port}"


def read_request(
    method: str, host: str, target: str, headers: Headers, body: bytes, rules: MatchRules
) -> Asked:
    """Return what a request asks for. ``host`` is as :func:`host_key` gives it."""
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    read = _remember if len(body) <= REMEMBERED_BODY else _read
    return read(method, host, target, kind, body, rules)


def things_asked(sent: Request, host: str, rules: MatchRules) -> tuple[Key, ...]:
    """Return what a request asks for, without what differs whenever it is asked again."""
    asked = read_request(sent.method, host, sent.target, sent.headers, sent.body, rules)
    return tuple(one.key for one in asked.calls)


def _read(method: str, host: str, target: str, kind: str, body: bytes, rules: MatchRules) -> Asked:
    target = normalise_secrets(target)
    pairs = sorted(parse_qsl(query_of(target), keep_blank_values=True))
    ignored = {name.lower() for name in rules.ignore_query}
    query = tuple(pair for pair in pairs if not _is_volatile(*pair, ignored))
    path = unquote(_path_of(target))
    template, parts = _template(method, host, target, rules)
    base = Key(method, host, template or path, query)
    payload = _payload(kind, body)
    item = _item_key(method, host, target, kind, body, rules.effect)
    if item is not None:
        return Asked((Call(_with_body(base, f"{OF_ITEM}{item}"), canonical(payload)),))
    if isinstance(payload, list) and payload and all(map(is_rpc_call, payload)):
        calls = (_rpc_call(base, [path, pairs], call, rules) for call in payload)
        return Asked(tuple(calls), is_batch=True)
    if is_rpc_call(payload):
        return Asked((_rpc_call(base, [path, pairs], payload, rules),))
    key = _with_body(base, _without_volatile(payload, rules))
    return Asked((Call(key, canonical([path, pairs, payload]), parts=parts),))


_remember = lru_cache(maxsize=1024)(_read)


def _template(
    method: str, host: str, target: str, rules: MatchRules
) -> tuple[str, tuple[str, ...]]:
    """Return the path with ``*`` for what does not matter there, and what stands for each."""
    for pattern in rules.paths:
        parts = request_parts(pattern, method, url_like(pattern, host, target))
        if parts is not None:
            return _path_of(pattern.partition(" ")[2]), tuple(map(unquote, parts))
    return "", ()


def url_like(pattern: str, host: str, target: str) -> str:
    """Return the URL of a request for comparison with a request pattern, under its scheme."""
    scheme = pattern.partition(" ")[2].partition(":")[0]
    return f"{scheme}://{host}{target}"


def _path_of(target: str) -> str:
    """Return the path; a proxy is sent the whole URL."""
    if target.startswith("/"):
        return _ADDRESS_END.split(target, maxsplit=1)[0]
    _, _, path = without_query(target).partition("://")[2].partition("/")
    return f"/{path}"


def _item_key(
    method: str, host: str, target: str, kind: str, body: bytes, effect: RequestEffect | None
) -> str | None:
    """Return the key of the item that a request ends, None for any other request."""
    if effect is None:
        return None
    if not any(request_matches(one, method, url_like(one, host, target)) for one in effect.request):
        return None
    return effect_key(effect, Request(0, 0, 0, method, target, (("content-type", kind),), body))


def message_key(data: str | bytes, rules: MatchRules) -> str:
    """Return what makes two WebSocket messages of a bot the same one; ids do not count."""
    if isinstance(data, bytes):
        return f"binary {hashlib.sha256(data).hexdigest()}"
    text = normalise_secrets(data)
    try:
        payload = loads(text)
    except ValueError:
        return text
    if isinstance(payload, dict):
        payload = {name: value for name, value in payload.items() if name != "id"}
    return canonical(_without_volatile(payload, rules))


def is_rpc_call(payload: object) -> bool:
    """Tell whether a JSON value is a JSON-RPC request."""
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("method"), str)
        and ("jsonrpc" in payload or {"id", "params"} <= payload.keys())
    )


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(payload: Any) -> str:
    """Return JSON that is equal for equal values."""
    return _CANONICAL.encode(payload)


def _rpc_call(
    base: Key, address: Sequence[Any], payload: dict[str, Any], rules: MatchRules
) -> Call:
    asked = {"method": payload["method"], "params": payload.get("params") or []}
    key = _with_body(base, _without_volatile(asked, rules))
    return Call(key, canonical([*address, asked]), is_rpc=True, rpc_id=payload.get("id"))


def _with_body(base: Key, payload: Any) -> Key:
    text = payload if isinstance(payload, str) else canonical(payload)
    if len(text) > LONG_BODY:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        text = f"{text[:LONG_BODY]}... sha256 {digest}"
    return Key(base.method, base.host, base.path, base.query, text)


def _payload(kind: str, body: bytes) -> Any:
    """Return JSON, the sorted fields of a form, or text without secrets."""
    if not body:
        return ""
    if "multipart/" in kind and "boundary=" in kind:
        boundary = kind.partition("boundary=")[2].partition(";")[0].strip('" ')
        body = body.replace(boundary.encode(), b"boundary")
    try:
        text = normalise_secrets(body.decode())
    except UnicodeDecodeError:
        return f"binary {hashlib.sha256(body).hexdigest()}"
    if "x-www-form-urlencoded" in kind:
        return _form(parse_qsl(text, keep_blank_values=True))
    try:
        return loads(text)
    except ValueError:
        return text


def _form(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields of a form by name; one that is there more than once has a list."""
    fields: dict[str, list[str]] = {}
    for name, value in sorted(pairs, key=lambda pair: pair[0]):
        fields.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def _without_volatile(payload: Any, rules: MatchRules) -> Any:
    payload = _steady(payload)
    if rules.ignore_body and isinstance(payload, dict | list):
        payload = copy.deepcopy(payload)
        for path in rules.ignore_body:
            _remove(payload, locations(path, payload))
    return payload


def _steady(payload: Any) -> Any:
    """Return JSON without volatile fields, at the top and among the parameters of a call."""
    if not isinstance(payload, dict):
        return payload
    steady = {}
    for name, value in payload.items():
        if _is_volatile(name, value, ()):
            continue
        if name in PARAMETERS:
            value = [_steady(one) for one in value] if isinstance(value, list) else _steady(value)
        steady[name] = value
    return steady


def _remove(payload: Any, places: Iterable[tuple[int | str, ...]]) -> None:
    for *parents, last in places:
        inner = payload
        for part in parents:
            inner = inner[part]
        inner[last] = None  # the places that follow must stay where they are


def _is_volatile(name: str, value: object, ignored: Iterable[str]) -> bool:
    if name.lower() in ignored:
        return True
    plain = name.lower().replace("-", "").replace("_", "") or name
    return plain in VOLATILE and not (isinstance(value, str) and is_public_identifier(value))
