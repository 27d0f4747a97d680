"""PS1203: a log level that only a change of the code can change."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.model import Severity
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.service import main_work

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
    fixed: list[tuple[int, Call]] = []
    for file, facts in enumerate(program.files):
        view = where.sibling(file)
        for call in facts.calls:
            level = _level(call, view)
            if level is not None:
                if not _is_fixed(level) or next(view.around(call.block, "if"), None):
                    return  # somebody can choose
                if not _is_foreign(call, view):
                    fixed.append((file, call))
            elif call.func.endswith("Config") and view.path(call) in _CONFIGURED:
                return
    if not fixed or main_work(where) is None:
        return
    file, call = fixed[0]
    yield Hit(
        call.place,
        call.block,
        message="the log level stands in the code; nothing but a new version of the bot changes it",
        fix='Take it from the environment: level=os.environ.get("LOG_LEVEL", "INFO").',
        file=file,
    )


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
        parts[0] == name.partition(".")[0] for parts in where.program.modules.parts
    )
