"""PS1404: a bot that does not know how long anything takes."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import FileFacts, Value
from perfscan.analyzers.model import Confidence, Severity
from perfscan.analyzers.project import Program
from perfscan.analyzers.registry import Hit, rule
from perfscan.analyzers.service import main_work
from perfscan.analyzers.survey import survey


@rule("PS1404", "no-metrics", Severity.INFO, on=Program)
def no_metrics(program: Program, where: Where) -> Iterator[Hit]:
    """Report a bot that measures neither how long its calls take nor how many it makes.

    What it does:
        Looks for a program that starts by itself and asks servers again and again, in which nothing
        reads a timer to work out a duration and no metrics or tracing library is used. Reported
        once, at the loop or handler with the most remote calls.

    Why it costs a bot:
        Nobody sees the answer times double or the hit rate of a cache fall, so the first sign of a
        slow bot is a missed trade, and no optimisation of it can be shown to have worked.

    Example:
        import requests

        def main():
            while True:
                price = requests.get("https://api.example.org/price", timeout=5).json()
                print(price)

        if __name__ == "__main__":
            main()

    Use instead:
        import time

        import requests

        def main():
            while True:
                started = time.perf_counter()
                price = requests.get("https://api.example.org/price", timeout=5).json()
                print(price, f"{time.perf_counter() - started:.3f} s")

        if __name__ == "__main__":
            main()

    When it is fine:
        When something outside measures for it: a proxy, a mesh, an agent that is loaded from
        without. Scripts that end, and libraries.
    """
    work = main_work(where)
    if work is None or _measures(where):
        return
    count = "a remote call" if work.calls == 1 else f"{work.calls} remote calls"
    yield Hit(
        work.place,
        work.block,
        message=f"nothing measures how long the {work.heat.label} takes, nor {count} of it",
        fix=(
            "Take time.perf_counter() around each remote call and each turn, and log count, "
            "average and slowest once a minute, or export them with prometheus_client."
        ),
        confidence=Confidence.PROBABLE,
        file=work.heat.file,
    )


@survey(any)
def _measures(where: Where) -> bool:
    """Tell whether a file uses a metrics library, or works out how long something took."""
    roles = where.knowledge.roles
    for call in where.file.calls:
        if any("measures" in roles(path) for path in where.paths(call)):
            return True
    return _subtracts_clocks(where.file, where)


def _subtracts_clocks(file: FileFacts, where: Where) -> bool:
    """Tell whether a time minus an earlier one is kept, handed on, logged or returned."""
    kept = [assign.value for assign in file.assigns]
    kept += [jump.value for jump in file.jumps if jump.value is not None]
    for call in file.calls:
        kept += [*call.args, *[value for _, value in call.keywords]]
    return any(_is_duration(value, where) for value in kept if value.kind in _HOLDING)


_HOLDING = frozenset({"binary", "fstring", "tuple", "list", "dict", "conditional"})


def _is_duration(value: Value, where: Where) -> bool:
    if value.kind == "binary" and value.ref == "Sub" and value.items:
        call = where.call_of(value.items[0])
        if call is not None and "clock" in where.roles(call):
            return True
    return any(_is_duration(item, where) for item in value.items)
