"""PS107: reading and writing files on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Call, Value
from perfscan.analyzers.keeping import is_exceptional
from perfscan.analyzers.model import Severity
from perfscan.analyzers.registry import EffectCall, Hit, rule

_BUFFERS = ("io.BytesIO", "io.StringIO")
_DEPTH = 4

_FAR = 4
"""Calls between a loop and a helper from which on it hardly runs in each turn."""


@rule("PS107", "blocking-file-io", Severity.LOW, on=EffectCall)
def blocking_file_io(call: Call, where: Where) -> Iterator[Hit]:
    """Report file reads and writes that run on the event loop.

    What it does:
        Looks for `open`, `Path.write_text`, `shutil.copytree`, `json.dump` and the like in
        coroutines, and in helpers of theirs that run again and again. In a loop or a message
        handler the finding is medium, elsewhere low. One finding for each file that is opened;
        none for buffers in memory.

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
    if any(_is_in_memory(value, call.block, where) for value in call.args[:2]):
        return
    heat = where.hot(call.block)
    if heat is not None and (len(heat.via) > _FAR or is_exceptional(heat, where)):
        heat = None
    direct = where.on_loop(call.block)
    through = heat is not None and where.reached_from_loop(call.block)
    through = through and not where.in_thread(call.block)
    if not direct and not through:
        return
    repeated = bool(where.data_loops(call.block)) and not where.is_cold(call.block)
    often = heat is not None or (direct and repeated)
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


def _is_in_memory(value: Value, block: int, where: Where, depth: int = 0) -> bool:
    """Tell whether a value is a buffer in memory or is made from one, as an archive's member is."""
    call = where.call_of(value) or _bound(value.ref, block, where)
    if call is None or depth > _DEPTH:
        return False
    if where.path(call) in _BUFFERS:
        return True
    receiver = Value("ref", call.func.rpartition(".")[0])
    return any(
        _is_in_memory(source, call.block, where, depth + 1) for source in (*call.args[:1], receiver)
    )


def _bound(name: str, block: int, where: Where) -> Call | None:
    """Return the call whose result a name of the same function holds."""
    function = where.block(block).function
    for assign in where.file.assigns:
        if assign.target == name and where.block(assign.block).function == function:
            return where.call_of(assign.value)
    return None
