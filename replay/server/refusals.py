"""What services say when they refuse or fail: the status, the headers and the words for it."""

from __future__ import annotations

import json
from http import HTTPStatus
from math import ceil
from typing import Any, Literal

from perfscan.replay.model import Headers, Refusal
from perfscan.replay.server.answers import Answer

_TELEGRAM = "api.telegram.org"
_BINANCE = ("binance.com", "binance.us", "binance.vision")
_GATEWAY = (502, 503, 504)
"""What the proxy before a service answers, in HTML, when the service does not."""


def refusing(
    outcome: Literal["refused", "fault"],
    host: str,
    refusal: Refusal,
    wait_s: float | None = None,
    *,
    closes: bool = False,
) -> Answer:
    """Return the answer that refuses a request to ``host``.

    ``wait_s`` is how long the client should wait; the scenario's own time goes before it.
    """
    wait_s = refusal.retry_after_s or wait_s
    seconds = None if wait_s is None else max(1, ceil(wait_s))
    kind, body = _words(host, refusal.status, seconds)
    if refusal.body is not None:
        body = refusal.body
        kind = "application/json" if body.lstrip()[:1] in ("{", "[") else "text/plain"
    headers: Headers = (("Content-Type", kind), *refusal.headers)
    if seconds is not None and all(name.lower() != "retry-after" for name, _ in headers):
        headers += (("Retry-After", str(seconds)),)
    reason = reason_of(refusal.status)
    return Answer(outcome, None, refusal.status, reason, headers, body.encode(), closes=closes)


def reason_of(status: int) -> str:
    """Return the words beside a status; empty for a number without any."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _words(host: str, status: int, wait_s: int | None) -> tuple[str, str]:
    """Return content type and body of a refusal as that service words it."""
    name = host.partition(":")[0]
    if status in _GATEWAY:
        title = f"{status} {reason_of(status)}"
        return "text/html", (
            f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
            f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
            "</body>\r\n</html>\r\n"
        )
    said: dict[str, Any]
    if name == _TELEGRAM:
        said = {"ok": False, "error_code": status, "description": reason_of(status)}
        if status == 429 and wait_s is not None:
            said["description"] += f": retry after {wait_s}"
            said["parameters"] = {"retry_after": wait_s}
    elif name.endswith(_BINANCE):
        said = {"code": -1003, "msg": "Too many requests; current limit exceeded."}
        if status not in (418, 429):
            said = {"code": -1000, "msg": "An unknown error occurred while processing the request."}
    else:
        said = {"error": {"code": status, "message": reason_of(status)}}
    return "application/json", json.dumps(said)
