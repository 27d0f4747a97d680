"""PS1203: a log level that only a change of the code can change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.service import main_work
from perfscan.analyzers.sites import SiteId
from perfscan.analyzers.survey import survey

_CONFIGURED = frozenset({"logging.config.dictConfig", "logging.config.fileConfig"})
_LEVELS = frozenset({"CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET"})


@rule("PS1203", "fixed-log-level", Severity.INFO, on=Program)
def fixed_log_level(program: Program, where: Where) -> Iterator[Hit]:
    """Report a bot whose log level is written into the code.

    What it does:
        Looks for `logging.basicConfig(level=logging.INFO)` and `setLevel` of the bot's own loggers
        with a constant, in a program that nowhere takes a level from the environment, a
        configuration or an argument. Reported once.

    Why it costs a bot:
        In production every info line of a busy handler is formatted and written, and nobody can
        turn it down without a release; while something goes wrong nobody can turn it up either.

    Example:
        import logging
        import requests

        logging.basicConfig(level=logging.INFO)

        def main():
            while True:
                logging.info("price %s", requests.get("https://api.example.org", timeout=5).text)

        if __name__ == "__main__":
            main()

    Use instead:
        import logging
        import os
        import requests

        logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))

        def main():
            while True:
                logging.info("price %s", requests.get("https://api.example.org", timeout=5).text)

        if __name__ == "__main__":
            main()

    When it is fine:
        For the loggers of libraries that talk too much, and in scripts that end.
    """
    first = _fixed_first(where)
    if first is None or main_work(where) is None:
        return
    file, number = first
    call = program.files[file].calls[number]
    yield Hit(
        call.place,
        call.block,
        message="the log level stands in the code; nothing but a new version of the bot changes it",
        fix='Take it from the environment: level=os.environ.get("LOG_LEVEL", "INFO").',
        file=file,
    )


def _first(parts: Sequence[tuple[bool, int | None]]) -> SiteId | None:
    """Return the first place where the level is fixed, None when somebody can choose it."""
    if any(chosen for chosen, _ in parts):
        return None
    places = [(file, call) for file, (_, call) in enumerate(parts) if call is not None]
    return places[0] if places else None


@survey(_first)
def _fixed_first(where: Where) -> tuple[bool, int | None]:
    """Tell whether somebody can choose the level, and the first call that fixes it."""
    fixed: int | None = None
    for call in where.file.calls:
        level = _level(call, where)
        if level is not None:
            if not _is_fixed(level) or next(where.around(call.block, "if"), None):
                return True, None
            if fixed is None and not _is_foreign(call, where):
                fixed = call.number
        elif call.func.endswith("Config") and where.path(call) in _CONFIGURED:
            return True, None
    return False, fixed


def _level(call: Call, where: Where) -> Value | None:
    """Return the level that a call sets for a logger, None when it does not."""
    name = call.func.rpartition(".")[2]
    if name == "basicConfig" and where.path(call) == "logging.basicConfig":
        return where.argument(call, -1, "level")
    if name == "setLevel" and where.path(call).startswith("logging.getLogger()"):
        return where.argument(call, 0, "level")
    if name == "add" and where.path(call) == "loguru.logger.add":
        return where.argument(call, -1, "level")
    return None


def _is_fixed(level: Value) -> bool:
    last = level.ref.rpartition(".")[2]
    return level.kind == "const" or (level.kind == "ref" and last in _LEVELS)


def _is_foreign(call: Call, where: Where) -> bool:
    """Tell whether the logger is a library's: ``getLogger("httpx")``."""
    receiver = call.func.rpartition(".")[0]
    made = where.call_of(Value("ref", receiver)) if receiver.startswith("@") else None
    if made is None or not made.args:
        return False
    name = made.args[0].const
    return isinstance(name, str) and not any(
        parts[:1] == (name.partition(".")[0],) for parts in where.program.modules.parts
    )
