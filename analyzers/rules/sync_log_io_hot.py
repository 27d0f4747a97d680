"""PS1202: log lines that the event loop writes to a file, a terminal or a server itself."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Function
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.survey import survey

_TO_FILE = frozenset(
    {
        "logging.FileHandler",
        "logging.handlers.RotatingFileHandler",
        "logging.handlers.TimedRotatingFileHandler",
        "logging.handlers.WatchedFileHandler",
    }
)
_TO_SERVER = frozenset(
    {
        "logging.handlers.HTTPHandler",
        "logging.handlers.SMTPHandler",
        "logging.handlers.SocketHandler",
    }
)
_QUEUES = frozenset({"logging.handlers.QueueHandler", "logging.handlers.QueueListener"})
_BASES = ("logging.", "logging.handlers.")
_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
_QUEUE = "Log through logging.handlers.QueueHandler; a QueueListener's thread does the writing."


@rule("PS1202", "sync-log-io-hot", Severity.LOW, on=(Call, Function))
def sync_log_io_hot(fact: Call | Function, where: Where) -> Iterator[Hit]:
    """Report log handlers that write on the event loop, for each message that is logged.

    What it does:
        Looks, in programs that log from loops and handlers on the event loop, for file handlers
        without a queue, for `print(..., flush=True)` in such code, and for handlers whose `emit`
        asks a server (medium): those that send log lines to Telegram or Discord.

    Why it costs a bot:
        A log call looks free, yet it returns when the line is written. A slow disk, a stopped
        terminal or a chat server then sets the pace of the bot, most of all when it logs errors.

    Example:
        import logging
        import requests
        import websockets

        class ChatHandler(logging.Handler):
            def emit(self, record):
                requests.post("https://api.example.org", data=self.format(record), timeout=5)

        logger = logging.getLogger(__name__)
        logger.addHandler(ChatHandler())

        async def listen(uri):
            async with websockets.connect(uri) as stream:
                async for message in stream:
                    logger.info("received %s", message)

    Use instead:
        import logging
        import logging.handlers
        import queue
        import requests
        import websockets

        class ChatHandler(logging.Handler):
            def emit(self, record):
                requests.post("https://api.example.org", data=self.format(record), timeout=5)

        lines = queue.SimpleQueue()
        logging.handlers.QueueListener(lines, ChatHandler()).start()
        logger = logging.getLogger(__name__)
        logger.addHandler(logging.handlers.QueueHandler(lines))

        async def listen(uri):
            async with websockets.connect(uri) as stream:
                async for message in stream:
                    logger.info("received %s", message)

    When it is fine:
        Behind a queue, in bots that log a line a minute, in code that threads run.
    """
    if isinstance(fact, Function):
        yield from _emitting(fact, where)
    elif fact.func == "print":
        yield from _flushing(fact, where)
    elif fact.func.endswith(("Handler", "basicConfig", "add")):
        yield from _writing(fact, where)


def _flushing(call: Call, where: Where) -> Iterator[Hit]:
    """Report a print that waits for the terminal in a loop or handler on the event loop."""
    flush = where.argument(call, -1, "flush")
    heat = where.hot(call.block)
    if flush is None or flush.const is not True or heat is None or not where.on_loop(call.block):
        return
    yield Hit(
        call.place,
        call.block,
        message=f"print(flush=True) waits for the terminal in each run of the {heat.label}",
        fix=f"Leave out flush, or log instead. {_QUEUE}",
    )


def _writing(call: Call, where: Where) -> Iterator[Hit]:
    """Report a handler of the standard library, or a file of loguru, that writes at once."""
    path = where.path(call)
    if path == "loguru.logger.add":
        queued = where.argument(call, -1, "enqueue")
        sink = where.argument(call, 0, "sink")
        to_file = queued is None and sink is not None and sink.kind in {"const", "fstring"}
    else:
        named = path == "logging.basicConfig" and where.argument(call, -1, "filename") is not None
        to_file = named or path in _TO_FILE
    if not (to_file or path in _TO_SERVER) or not _logs_on_loop(where) or _has_queue(where):
        return
    yield Hit(
        call.place,
        call.block,
        message=(
            f"{path}() writes each log line on the event loop"
            if to_file
            else f"{path}() sends each log line to a server while the event loop waits"
        ),
        fix="Add it with enqueue=True." if path.startswith("loguru.") else _QUEUE,
        severity=Severity.LOW if to_file else Severity.MEDIUM,
        confidence=where.confidence(call),
    )


def _emitting(function: Function, where: Where) -> Iterator[Hit]:
    """Report a handler of the project that asks a server for each record."""
    if function.name != "emit" or function.owner < 0 or function.is_async:
        return
    blocking = where.blocking((where.index, function.number))
    if blocking is None or not _is_handler(function.owner, where):
        return
    if not _logs_on_loop(where) or _has_queue(where):
        return
    steps = where.chain((where.index, function.number))
    yield Hit(
        function.place,
        function.block,
        message=(
            f"{function.qualname}() runs {blocking.effect.readable}() for each log line, "
            "on the event loop, too"
        ),
        fix=_QUEUE,
        severity=Severity.MEDIUM,
        confidence=Confidence.PROBABLE,
        trace=steps,
    )


def _is_handler(cls: int, where: Where) -> bool:
    bases = where.program.names.classes.external_bases(where.index, cls)
    return any(base.startswith(_BASES) and base.endswith("Handler") for base in bases)


@survey(any)
def _logs_on_loop(where: Where) -> bool:
    """Tell whether a file logs in a loop or handler that the event loop runs."""
    return any(
        call.func.rpartition(".")[2] in _LEVELS
        and where.path(call).startswith(("logging.", "loguru.logger."))
        and where.on_loop(call.block)
        and where.hot(call.block) is not None
        for call in where.file.calls
    )


@survey(any)
def _has_queue(where: Where) -> bool:
    """Tell whether a file hands log records to a queue."""
    return any(
        call.func.endswith(("QueueHandler", "QueueListener")) and where.path(call) in _QUEUES
        for call in where.file.calls
    )
