"""PS1201: log messages that are built although nobody may read them."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.heat import Heat
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule

_LEVELS = frozenset({"debug", "info"})
_LOGGERS = ("logging.getLogger()", "loguru.logger", "structlog.get_logger()", "logging.Logger()")
_DUMPS = frozenset(
    {"json.dumps", "pprint.pformat", "orjson.dumps", "traceback.format_stack", "yaml.dump"}
)
_NEAR = 3
"""Calls between a loop and code that runs about as often as the loop turns."""

_TABLES = ("to_string", "to_markdown", "to_json", "to_dict")


@rule("PS1201", "eager-log-hot", Severity.LOW, on=Call, calls=_LEVELS, fixable="safe")
def eager_log_hot(call: Call, where: Where) -> Iterator[Hit]:
    """Report debug and info messages that are built before the logger decides to drop them.

    What it does:
        Finds calls of `debug` and `info` of a known logger, in endless loops and handlers, whose
        message is an f-string, a concatenation, a `%` or `.format` expression, or which dump a
        whole object (`json.dumps`, `DataFrame.to_string`).

    Why it costs a bot:
        The text is formatted for every message, also when the level is WARNING. Dumping a large
        object costs milliseconds, which in a coroutine every other task waits for.

    Example:
        import json
        import logging

        logger = logging.getLogger(__name__)

        def main(stream):
            while True:
                message = stream.receive()
                logger.debug(f"received {json.dumps(message)}")

    Use instead:
        import logging

        logger = logging.getLogger(__name__)

        def main(stream):
            while True:
                message = stream.receive()
                logger.debug("received %s", message)

    When it is fine:
        In code that runs seldom, for warnings and errors, which are meant to be seen, and behind
        `if logger.isEnabledFor(logging.DEBUG)`.
    """
    if not call.args:
        return
    sure = _is_logger(call, where)
    if sure is None or _is_rare(call, where):
        return
    heat = where.hot(call.block)
    if heat is None:
        return
    dumped = _dumped(call, where)
    how = dumped or (_formatted(call.args[0], where) if _is_close(heat) else "")
    if how:
        yield Hit(
            call.place,
            call.block,
            message=f"{call.func}() builds {how} for each run of the {heat.label}, read or not",
            fix=(
                "Log a few fields of it, or guard the call with isEnabledFor()."
                if dumped
                else 'Let the logger format: "text %s", value.'
            ),
            confidence=sure,
        )


def _is_close(heat: Heat) -> bool:
    """Tell whether the code is hot itself, rather than one of many helpers of a command."""
    return len(heat.via) <= (_NEAR if heat.kind in {"loop", "receive"} else 0)


def _is_logger(call: Call, where: Where) -> Confidence | None:
    for path in where.paths(call):
        if path.rpartition(".")[0] == "logging" or path.startswith(_LOGGERS):
            return Confidence.DEFINITE
    owner = call.func.rpartition(".")[0].rpartition(".")[2].lower().lstrip("_")
    if not where.site(call).things and owner in {"log", "logger", "logging"}:
        return Confidence.POSSIBLE
    return None


def _is_rare(call: Call, where: Where) -> bool:
    """Tell whether the call stands on a failure path or behind a check of the level."""
    for block in where.around(call.block, "except", "if"):
        if block.kind == "except":
            return True
        test = where.call_of(block.value)
        if test is not None and test.func.endswith((".isEnabledFor", ".is_enabled_for")):
            return True
        if block.value is not None and block.value.ref.rpartition(".")[2].lower() in {
            "debug",
            "verbose",
        }:
            return True
    return False


def _dumped(call: Call, where: Where) -> str:
    """Return what is dumped as a whole among the arguments of a log call."""
    for other in where.file.calls[: call.number]:
        if other.owner == call.number:
            if where.path(other) in _DUMPS:
                return f"the text of {other.func}()"
            name = other.func.rpartition(".")[2]
            if name in _TABLES and where.path(other).startswith("pandas."):
                return f"the text of {name}()"
    return ""


def _formatted(message: Value, where: Where) -> str:
    if message.kind == "fstring":
        return "an f-string" if message.names else ""
    if message.kind == "binary" and message.names and message.ref in {"Add", "Mod"}:
        return "its message"
    made = where.call_of(message)
    if made is not None and made.func.endswith(".format") and made.func.startswith("$str"):
        return "its message"
    return ""
