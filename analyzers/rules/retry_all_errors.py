"""PS604: a retry without an end, whatever the error is."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Call, Function
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.remote import Reach, asks_server, pauses, reaches, steps
from perfscan.analyzers.retries import (
    after_failure,
    gives_up,
    is_broad,
    nearest_loop,
    reconnects,
    swallowed,
    tried,
    work,
)

_ENDS = {
    "tenacity.retry": ("stop", "retry"),
    "backoff.on_exception": ("max_tries", "max_time", "giveup"),
    "retrying.retry": (
        "stop_max_attempt_number", "stop_max_delay", "retry_on_exception", "retry_on_result",
    ),
}  # fmt: skip
"""Decorators that retry for ever on any error, and the arguments that keep them from it."""


@rule("PS604", "retry-all-errors", Severity.LOW, on=(Block, Function))
def retry_all_errors(fact: Block | Function, where: Where) -> Iterator[Hit]:
    """Report requests that are repeated for ever after any error, also one that will not pass.

    What it does:
        Finds `while True` loops that leave when a request has succeeded and repeat it after any
        exception, without a count of attempts, and functions decorated with tenacity, backoff or
        retrying without a limit.

    Why it costs a bot:
        A wrong key (401), an unknown symbol (404) or a bad order (400) fails the same way every
        time. The bot hangs in the loop, uses up its rate limit, and nobody learns why.

    Example:
        import time
        import requests

        def balance():
            while True:
                try:
                    reply = requests.get("https://api.example.org/balance", timeout=5)
                    reply.raise_for_status()
                    return reply.json()
                except Exception:
                    time.sleep(2)

    Use instead:
        import time
        import requests

        def balance():
            for attempt in range(5):
                try:
                    reply = requests.get("https://api.example.org/balance", timeout=5)
                except requests.ConnectionError:
                    time.sleep(0.2 * 2**attempt)
                    continue
                reply.raise_for_status()
                return reply.json()
            raise TimeoutError("the API does not answer")

    When it is fine:
        A bounded number of attempts, a handler that raises what cannot pass, and the main loop of
        a bot, which has to outlive every error.
    """
    if isinstance(fact, Function):
        yield from _decorated(fact, where)
        return
    if fact.kind != "except" or not is_broad(fact) or gives_up(fact, where):
        return
    loop = nearest_loop(fact, where)
    if loop is None or not _endless(loop) or not _leaves_on_success(fact, loop, where):
        return
    if _looks_at_error(fact, where) or reconnects(loop, where) is not None:
        return
    if not any(pauses(call, where) for call in after_failure(fact, loop, where)):
        return  # PS603 says the more urgent thing
    found = next(reaches(where, work(fact, where), asks_server), None)
    if found is not None and not swallowed(found, where):
        yield _hit(fact, loop, found, where)


def _endless(loop: Block) -> bool:
    return loop.kind == "while" and loop.value is not None and loop.value.const in (True, 1)


def _leaves_on_success(handler: Block, loop: Block, where: Where) -> bool:
    """Tell whether the loop is left once the request has succeeded."""
    inside = where.below(loop.number)
    body = tried(handler, where).number
    return any(
        jump.kind in {"return", "break"}
        and jump.block in inside
        and jump.block in (body, loop.number)
        for jump in where.file.jumps
    )


def _looks_at_error(handler: Block, where: Where) -> bool:
    """Tell whether the handler asks what the error is, or counts."""
    inside = where.below(handler.number)
    counts = any(a.block in inside and a.op == "+=" for a in where.file.assigns)
    return counts or any(where.block(number).kind in {"if", "case"} for number in inside)


def _hit(handler: Block, loop: Block, found: Reach, where: Where) -> Hit:
    site = where.program.site(found.sink)
    assert site.effect is not None
    return Hit(
        handler.place,
        handler.number,
        message=(
            f"{where.name(loop.number)}() repeats {site.effect.readable}() for ever after any "
            "error, also one that will not pass"
        ),
        fix=(
            "Bound the attempts, retry only timeouts, lost connections, 429 and 5xx, and raise "
            "the rest."
        ),
        confidence=site.confidence if len(found.path) == 1 else Confidence.PROBABLE,
        trace=steps(where, found),
    )


def _decorated(function: Function, where: Where) -> Iterator[Hit]:
    for decorator in function.decorators:
        call = where.call_of(decorator)
        path = where.path(call) if call else where.value_path(decorator, function.outer)
        ends = _ENDS.get(path)
        if ends is None or (call is not None and _is_limited(call, path, ends)):
            continue
        yield Hit(
            function.place,
            function.block,
            message=f"{path} repeats {function.qualname}() for ever after any error",
            fix=f"Pass {ends[0]} to {path.rpartition('.')[2]}, and name the errors that may pass.",
        )


def _is_limited(call: Call, path: str, ends: tuple[str, ...]) -> bool:
    given = {name for name, _ in call.keywords}
    if given.intersection((*ends, "**")) or any(value.kind == "star" for value in call.args):
        return True
    if path == "backoff.on_exception":
        kinds = call.args[1:2] or tuple(v for name, v in call.keywords if name == "exception")
        return not any(value.ref.endswith("Exception") for value in kinds)
    return bool(call.args)
