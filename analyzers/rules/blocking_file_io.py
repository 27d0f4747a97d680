"""PS107: reading and writing files on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import Hit, LibraryCall, rule


@rule("PS107", "blocking-file-io", Severity.LOW, on=LibraryCall)
def blocking_file_io(call: Call, where: Where) -> Iterator[Hit]:
    """Report file reads and writes that run on the event loop.

    What it does:
        Looks for `open`, `Path.write_text`, `shutil.copytree`, `json.dump` and the like in
        coroutines, and in helpers of theirs that run again and again. In a loop or a message
        handler the finding is medium, elsewhere low. One finding for each file that is opened.

    Why it costs a bot:
        A write waits for the disk, and a slow or full disk holds up every message behind it.

    Example:
        import websockets

        async def listen(uri):
            async with websockets.connect(uri) as stream:
                async for message in stream:
                    with open("messages.log", "a") as log:
                        log.write(message)

    Use instead:
        import asyncio
        import websockets

        def write(rows):
            with open("messages.log", "a") as log:
                log.writelines(rows)

        async def listen(uri):
            async with websockets.connect(uri) as stream:
                async for message in stream:
                    await asyncio.to_thread(write, [message])

    When it is fine:
        While the bot starts: reading its configuration before the first loop delays nobody.
    """
    effect = where.effect(call)
    if effect is None or effect.is_async or effect.cost != "file":
        return
    if where.starting(call) or _belongs_to_an_open_file(call, where):
        return
    heat = where.hot(call.block)
    direct = where.on_loop(call.block)
    through = heat is not None and where.reached_from_loop(call.block)
    through = through and not where.in_thread(call.block)
    if not direct and not through:
        return
    often = heat is not None or (direct and bool(where.data_loops(call.block)))
    driver = f", for each turn of the {heat.label}" if heat is not None else ""
    name = where.name(call.block)
    yield Hit(
        call.place,
        call.block,
        message=f"{effect.readable}() does file I/O on the event loop in {name}{driver}",
        fix=f"Use {effect.replacement or 'asyncio.to_thread'}; write rows in batches, in a thread.",
        severity=Severity.MEDIUM if often else Severity.LOW,
        confidence=where.confidence(call),
        trace=tuple(where.step(site) for site in heat.via) if heat is not None else (),
    )


def _belongs_to_an_open_file(call: Call, where: Where) -> bool:
    """Tell whether the file that is used was opened in the same function, where it is reported."""
    for block in where.around(call.block, "with"):
        opened = where.call_of(block.value)
        if opened is not None and opened.number != call.number:
            effect = where.effect(opened)
            if effect is not None and effect.cost == "file":
                return True
    effect = where.effect(call)
    if effect is None or not effect.on_instance:
        return False
    return any(
        (other := where.effect(site.call)) is not None
        and other.cost == "file"
        and not other.on_instance
        for site in where.program.sites_of(where.function_id(call.block))
    )
