"""PS307: a client that asks servers to send their answers uncompressed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, FileFacts, Place, Value
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_HEADER = "accept-encoding"
_REFUSING = re.compile(
    r"\s*identity\s*(;\s*q=(1|1\.0+|0?\.\d*[1-9]\d*))?\s*(,\s*\*\s*;\s*q=0)?\s*", re.IGNORECASE
)
_AS_IT_IS = frozenset({"range", "if-range"})
"""Headers of requests for a part of a file, whose bytes are counted uncompressed."""

_DECOMPRESSING = frozenset(
    {"requests", "httpx", "aiohttp", "curl_cffi", "cloudscraper", "requests-html"}
)
"""Libraries that accept compressed answers unless told otherwise, and unpack them unasked."""

_NO_BODY = (".head", ".stream", ".options")
_PIECEMEAL = (
    ".iter_chunked", ".iter_any", ".iter_content", ".iter_bytes", ".aiter_bytes",
)  # fmt: skip
"""Methods of answers that are read bit by bit, because their size matters."""

_RELAYED = (".iter_raw", ".aiter_raw")


class _Refusal(NamedTuple):
    """Where an uncompressed answer is asked for."""

    place: Place
    block: int
    holder: str
    """What holds the headers: ``self.headers``, ``session.headers``."""


@rule("PS307", "refused-compression", Severity.LOW, on=FileFacts)
def refused_compression(file: FileFacts, where: Where) -> Iterator[Hit]:
    """Report clients that ask for uncompressed answers.

    What it does:
        Finds the header `Accept-Encoding: identity` among the headers of a client, a session or a
        request of requests, httpx, aiohttp and their likes.

    Why it costs a bot:
        These libraries accept gzip by themselves and unpack it. Without it a long list of JSON is
        five to ten times as many bytes: several round trips more until the last of them has
        arrived, the more so on a slow link, and traffic that somebody pays for.

    Example:
        import httpx

        HEADERS = {"Accept-Encoding": "identity"}

        async def tickets(client: httpx.AsyncClient):
            return (await client.get("https://api.example.org/tickets", headers=HEADERS)).json()

    Use instead:
        import httpx

        async def tickets(client: httpx.AsyncClient):
            return (await client.get("https://api.example.org/tickets")).json()

    When it is fine:
        For parts of a file (`Range`), streams of events, downloads whose length is counted, and
        files that are compressed already, and in proxies.
    """
    if any(call.func.endswith(_RELAYED) for call in file.calls):
        return  # passes the bytes on as they came
    for refusal in _of_names(file):
        confidence = _is_sent(refusal, where)
        if confidence is not None:
            yield _hit(refusal.place, refusal.block, confidence)
    for call in file.calls:
        given = where.argument(call, -1, "headers")
        if given is not None and _refuses(given) and _takes_headers(call, where):
            yield _hit(call.place, call.block, where.confidence(call))


def _hit(place: Place, block: int, confidence: Confidence) -> Hit:
    return Hit(
        place,
        block,
        message="Accept-Encoding: identity makes servers send their answers uncompressed",
        fix="Leave the header out: the library accepts gzip by itself and unpacks it.",
        confidence=confidence,
    )


def _of_names(file: FileFacts) -> Iterator[_Refusal]:
    """Yield the headers under a name that refuse compression."""
    for assign in file.assigns:
        if _refuses(assign.value):
            yield _Refusal(assign.place, assign.block, assign.target)
        elif assign.key is not None and _is_refusal(assign.key, assign.value):
            yield _Refusal(assign.place, assign.block, assign.target.removesuffix(".[]"))
    for call in file.calls:
        if call.func.endswith(".update") and call.args and _refuses(call.args[0]):
            yield _Refusal(call.place, call.block, call.func.removesuffix(".update"))


def _refuses(value: Value) -> bool:
    """Tell whether an expression is a dictionary of headers with that one in it."""
    if value.kind == "binary":
        return any(_refuses(item) for item in value.items)
    if value.kind != "dict" or any(str(key.const).lower() in _AS_IT_IS for key in value.keys):
        return False
    return any(
        _is_refusal(key, item) for key, item in zip(value.keys, value.items, strict=False)
    ) and not any(_is_of_events(item) for item in value.items)


def _is_refusal(key: Value, value: Value) -> bool:
    return (
        str(key.const).lower() == _HEADER
        and isinstance(value.const, str)
        and _REFUSING.fullmatch(value.const) is not None
    )


def _is_of_events(value: Value) -> bool:
    return isinstance(value.const, str) and "event-stream" in value.const


def _is_sent(refusal: _Refusal, where: Where) -> Confidence | None:
    """Return how surely the headers go out with requests, None when nothing is known of it."""
    owner, _, name = refusal.holder.rpartition(".")
    if owner and name == "headers" and _is_client(owner, refusal, where):
        return Confidence.PROBABLE
    for call in where.file.calls:
        given = where.argument(call, -1, "headers")
        if given is None or not _holds(given, refusal.holder):
            continue
        same = not owner or where.class_of(call.block) == where.class_of(refusal.block)
        if same and _takes_headers(call, where):
            return where.confidence(call)
    return None


def _is_client(owner: str, refusal: _Refusal, where: Where) -> bool:
    """Tell whether the headers are those of a client: ``session.headers``."""
    things = where.things(Value("ref", owner), refusal.block)
    clients = [where.knowledge.instance(thing.path) for thing in things]
    return any(
        client is not None and not rest and client.library in _DECOMPRESSING
        for client, rest in clients
    )


def _holds(value: Value, name: str) -> bool:
    """Tell whether headers are those, or are made from them: ``{**HEADERS, "X": "1"}``."""
    return value.ref == name or any(_holds(item, name) for item in value.items)


def _takes_headers(call: Call, where: Where) -> bool:
    """Tell whether a call makes a request whose answer the library would have unpacked."""
    if call.func.endswith(_NO_BODY) or "stream" in dict(call.keywords):
        return False
    function = where.file.blocks[call.block].function
    if function >= 0:
        around = where.calls_in(where.file.functions[function].block)
        if any(other.func.endswith(_PIECEMEAL) for other in around):
            return False
    client, effect = where.client(call), where.effect(call)
    library = client.library if client is not None else effect.library if effect else ""
    return library in _DECOMPRESSING
