"""PS1302: requests, queries and files at import."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.blocking import is_sink
from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.import_graph import loading
from perfscan.analyzers.knowledge import Effect
from perfscan.analyzers.model import Confidence, Severity, TraceStep
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.service import is_main_guard


@rule("PS1302", "import-time-io", Severity.MEDIUM, on=Call)
def import_time_io(call: Call, where: Where) -> Iterator[Hit]:
    """Report network calls, queries, processes and file reads that an import sets off.

    What it does:
        Looks at the code that runs when a module is imported, class bodies included, for blocking
        calls, itself or in the functions that it calls. Modules that are run as scripts and that
        nobody imports are left out. Files alone are low.

    Why it costs a bot:
        Every start, every worker process, every test and every command that merely shows its help
        waits for that server, and when it is down nothing starts at all.

    Example:
        import requests

        SYMBOLS = requests.get("https://api.example.org/symbols", timeout=5).json()

        def is_known(symbol):
            return symbol in SYMBOLS

        if __name__ == "__main__":
            print(is_known("BTC"))

    Use instead:
        from functools import cache

        import requests

        @cache
        def symbols():
            return requests.get("https://api.example.org/symbols", timeout=5).json()

        def is_known(symbol):
            return symbol in symbols()

        if __name__ == "__main__":
            print(is_known("BTC"))

    When it is fine:
        Under `if __name__ == "__main__"`, in scripts that are only ever run, for the environment,
        and for making clients that connect when they are first used.
    """
    if where.block(call.block).function >= 0 or not _runs_on_import(call, where):
        return
    found = _blocking(call, where)
    if found is None:
        return
    effect, confidence, steps = found
    here = TraceStep(where.file.path, call.place[0], where.symbol(where.index, call.block))
    yield Hit(
        call.place,
        call.block,
        message=f"importing this module runs {effect.readable}()",
        fix="Move it into a function that runs when the result is first needed, and keep that.",
        severity=Severity.LOW if effect.cost == "file" else None,
        confidence=confidence,
        trace=(here, *steps) if steps else (),
    )


def _blocking(call: Call, where: Where) -> tuple[Effect, Confidence, tuple[TraceStep, ...]] | None:
    """Return what a call waits for, how surely, and the way there."""
    site = where.site(call)
    effect = site.effect
    if effect is not None:
        waits = is_sink(site) or (effect.cost == "file" and not effect.is_async)
        opened = effect.path.startswith("io.")  # by another call, which is reported
        return (effect, site.confidence, ()) if waits and not opened else None
    for target in site.targets:
        below = where.blocking(target)
        if below is not None and below.effect.cost != "sleep":  # a pause before another try
            return below.effect, Confidence.PROBABLE, where.chain(target)
    return None


def _runs_on_import(call: Call, where: Where) -> bool:
    """Tell whether importing the module makes the call, whatever the circumstances."""
    block = where.block(call.block)
    while block.number > 0:
        if block.kind in {"if", "else", "except", "case"}:
            return False
        block = where.block(block.parent)
    return loading(where).imported or where.once(_has_main)


def _has_main(where: Where) -> bool:
    """Tell whether a module is made to be imported as well as run."""
    return any(is_main_guard(b.value) for b in where.file.blocks if b.kind == "if")
