"""PS606: a time limit so long that a slow answer holds up everything behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.keeping import is_exceptional, way_to
from perfscan.analyzers.literals import address, number
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule

_LONG_S = 10
_VERY_LONG_S = 60
"""A default of the library is worth a word from here on."""

_PATIENT = re.compile(
    r"poll|get_?updates|stream|event|subscri|listen|upload|download|file|export|generat"
    r"|complet|chat|train|render|wait|llm|model|image|audio|video|backup",
    re.IGNORECASE,
)
"""Requests that are slow by nature, or meant to wait."""

_SLOW_LIBRARIES = frozenset({"openai", "anthropic", "google-generativeai", "websocket-client"})


@rule("PS606", "long-timeout", Severity.INFO, on=LibraryCall)
def long_timeout(call: Call, where: Where) -> Iterator[Hit]:
    """Report time limits of 10 seconds and more on calls whose slowness holds up others.

    What it does:
        Looks at requests in endless loops, handlers and jobs. Reports those whose timeout is
        written down and 10 seconds or longer where the thread or the receive loop stands still
        meanwhile, and clients whose library waits a minute or more by default (boto3 60 s, psycopg
        130 s, openai and anthropic 600 s) when nothing else is said.

    Why it costs a bot:
        When a server hangs instead of failing, one message costs the whole timeout, and with
        retries a multiple of it. Ten seconds per message and three attempts are half a minute in
        which nothing else happens.

    Example:
        import requests

        def run():
            while True:
                print(requests.get("https://api.example.org/price", timeout=30).json())

    Use instead:
        import requests

        def run():
            while True:
                print(requests.get("https://api.example.org/price", timeout=5).json())

    When it is fine:
        Long polls, uploads, downloads and answers of language models, which take their time.
    """
    effect = where.effect(call)
    client = where.client(call)
    timeout = effect.timeout if effect is not None else client.timeout if client else None
    if timeout is None or where.confidence(call) is Confidence.POSSIBLE:
        return
    heat = where.hot(call.block)
    library = effect.library if effect is not None else client.library if client else ""
    value = _given(call, timeout.parameter)
    if value is None:
        default = timeout.default
        builds = client is not None or (effect is not None and not effect.on_instance)
        if builds and library != "aiohttp" and default is not None and default >= _VERY_LONG_S:
            yield _default(call, default, timeout.parameter, where)
        return
    if heat is None or library in _SLOW_LIBRARIES or _is_patient(call, where):
        return
    seconds = _seconds(value, call, where)
    if seconds is not None and timeout.unit == "ms":
        seconds /= 1000
    if seconds is None or seconds < _LONG_S or is_exceptional(heat, where):
        return
    if _holds_up(call, heat, where):
        yield _hit(call, seconds, heat, where)


def _given(call: Call, parameter: str) -> Value | None:
    for name, value in call.keywords:
        if name == parameter or name == "**" or "timeout" in name.lower():
            return value
    return None


def _seconds(value: Value, call: Call, where: Where) -> float | None:
    """Return a limit in seconds; of (connect, read) the longer one."""
    if value.kind == "tuple":
        parts = [number(item, where, call.block) for item in value.items]
        return max((part for part in parts if part is not None), default=None)
    made = where.call_of(value)
    if made is not None and made.func.endswith(("ClientTimeout", "Timeout")):
        return number(where.argument(made, 0, "total"), where, made.block)
    return number(value, where, call.block)


def _is_patient(call: Call, where: Where) -> bool:
    given = dict(call.keywords)
    url = address(where.argument(call, 0, "url"), where, call.block)
    words = [where.name(call.block), call.func.rpartition(".")[2], url]
    return "stream" in given or "files" in given or any(_PATIENT.search(word) for word in words)


def _holds_up(call: Call, heat: Heat, where: Where) -> bool:
    """Tell whether others wait meanwhile: the thread of the loop, or the next message."""
    effect = where.effect(call)
    if effect is None or effect.cost == "subprocess":
        return False
    if not effect.is_async:
        return not where.in_thread(call.block)
    return heat.kind == "receive"


def _hit(call: Call, seconds: float, heat: Heat, where: Where) -> Hit:
    effect = where.effect(call)
    name = effect.readable if effect else call.func
    return Hit(
        call.place,
        call.block,
        message=f"{name}() may hold up the {heat.label} for {seconds:g} s",
        fix="Give the time that a good answer needs, about 5 s, and let a retry do the rest.",
        severity=Severity.LOW,
        confidence=where.confidence(call),
        trace=way_to(call, where, heat),
    )


def _default(call: Call, seconds: float, parameter: str, where: Where) -> Hit:
    return Hit(
        call.place,
        call.block,
        message=f"{where.path(call)} waits up to {seconds:g} s for an answer by default",
        fix=f"Pass {parameter} with the time that a good answer needs.",
        confidence=where.confidence(call),
    )
