"""Hot regions: the code that a bot runs again and again, and which loop or handler drives it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from perfscan.analyzers.facts import Block, FileFacts, Jump, Value
from perfscan.analyzers.sites import FunctionId, Site, SiteId

if TYPE_CHECKING:
    from perfscan.analyzers.callbacks import Registration
    from perfscan.analyzers.links import Edge, Links
    from perfscan.analyzers.project import Program

BlockId = tuple[int, int]
"""File and block."""

_RECEIVE = "websocket_receive"
_HANDLER = re.compile(
    r"_?(on|handle)_(new_)?(message|msg|update|event|trade|tick|ticker|data|bar|candle|kline|order"
    r"|book|orderbook|quote|pool|transaction|notification|webhook)s?"
)
"""Names that bots give to what runs for each message, also when the caller is out of sight."""

_LIVE = re.compile(
    r"(^|_)(ws|websocket|sock|socket|stream|conn|connection|pubsub|subscription|consumer|feed|events"
    r"|updates|messages|notifications|listener|queue)$",
    re.IGNORECASE,
)
"""What an untyped parameter is called when ``async for`` over it has no end."""

_TAKING = (".pop", ".popleft", ".popitem", ".remove", ".clear")


class Heat(NamedTuple):
    """What drives a piece of code."""

    kind: str
    """``loop`` (never ends by itself), ``receive`` (one turn per message), ``handler``, ``job``
    or another kind of callback from the knowledge base."""
    label: str
    """For messages: ``while True loop in run``, ``handler on_message``."""
    file: int
    line: int
    block: int
    """The loop's block, -1 for a callback."""
    via: tuple[SiteId, ...] = ()
    """Calls that lead from there to the function asked about, outermost first."""


class HotRegions:
    """Answers whether code is hot, and why."""

    def __init__(
        self,
        blocks_of: Callable[[int], Sequence[Block]],
        loops: Mapping[BlockId, Heat],
        functions: Mapping[FunctionId, Heat],
        looping: Mapping[FunctionId, int],
        files: Mapping[int, bool],
    ) -> None:
        self._blocks_of = blocks_of
        self.loops = loops
        """The endless loops by (file, block)."""
        self.functions = functions
        """Every hot function with what drives it."""
        self.looping = looping
        """The functions that hold endless loops themselves, with the line of the first."""
        self.files = files
        """The files in which anything is hot."""

    def of_block(self, file: int, block: int) -> Heat | None:
        """Return the nearest endless loop around ``block``, else what drives its function."""
        blocks = self._blocks_of(file)
        function = blocks[block].function
        while block >= 0 and blocks[block].kind not in {"function", "module"}:
            heat = self.loops.get((file, block))
            if heat is not None:
                return heat
            block = blocks[block].parent
        return self.functions.get((file, function))


def spread_heat(
    parts: Sequence[Links],
    loops: Mapping[BlockId, Heat],
    outgoing: Mapping[FunctionId, Sequence[Edge]],
) -> dict[FunctionId, Heat]:
    """Find every hot function: callbacks, handlers, and what they and endless loops call."""
    found: dict[FunctionId, Heat] = {}
    for part in parts:
        for entry, heat, _ in part.registrations:
            if entry.callback.hot:
                found.setdefault(entry.function, heat)
    for file, part in enumerate(parts):
        for number, heat in part.handlers:
            found.setdefault((file, number), heat)
    queue = deque(found)

    def reach(edge: Edge, heat: Heat) -> None:
        for target in edge.targets:
            if target not in found:
                found[target] = heat._replace(via=(*heat.via, edge.site))
                queue.append(target)

    for part in parts:
        for edge in part.edges:
            if edge.endless >= 0:
                reach(edge, loops[edge.file, edge.endless])
    for part in parts:  # what a hot loop hands to a pool runs as often as the loop turns
        for entry, _, endless in part.registrations:
            if endless >= 0 and entry.function not in found:
                found[entry.function] = loops[entry.file, endless]
                queue.append(entry.function)
    while queue:
        function = queue.popleft()
        for edge in outgoing.get(function, ()):
            reach(edge, found[function])
    return found


def heat_of_callback(program: Program, entry: Registration) -> Heat:
    """Return what drives a function that was handed over."""
    facts = program.function(entry.function)
    name = facts.qualname if facts else entry.name
    line = facts.place[0] if facts else entry.place[0]
    kind = entry.callback.kind
    return Heat(kind, f"{kind} {name}", entry.function[0], line, -1)


def named_handlers(file: int, facts: FileFacts) -> tuple[tuple[int, Heat], ...]:
    """Return functions with a message and the name of a handler for one, whoever calls them."""
    return tuple(
        [
            (
                function.number,
                Heat("handler", f"handler {function.qualname}", file, function.place[0], -1),
            )
            for function in facts.functions
            if function.params and _HANDLER.fullmatch(function.name)
        ]
    )


def endless_loops(program: Program, file: int, sites: Sequence[Site]) -> dict[int, Heat]:
    """Return the blocks of one file's endless loops; ``sites`` are its calls."""
    facts = program.files[file]
    receives = _receiving_blocks(program, file, sites)
    found: dict[int, Heat] = {}
    for block in facts.blocks:
        kind = forever(facts, block, receives)
        if kind:
            found[block.number] = _heat_of_loop(file, facts, block, kind)
    return found


def _receiving_blocks(program: Program, file: int, sites: Sequence[Site]) -> set[int]:
    """Return the blocks in which a message is received from a socket or queue."""
    roles, facts = program.knowledge.roles, program.files[file]
    calls = {
        site.call.block
        for site in sites
        for thing in site.things
        if thing.kind == "external" and _RECEIVE in roles(thing.path)
    }
    return calls | {
        block.number
        for block in facts.blocks
        if block.kind == "for" and block.is_async and _is_stream(program, file, block)
    }


def _is_stream(program: Program, file: int, block: Block) -> bool:
    """Tell whether ``async for`` runs over a known connection: it receives until that ends."""
    if block.value is None:
        return False
    roles = program.knowledge.roles
    return any(
        _RECEIVE in roles(f"{thing.path}{method}")
        for thing in program.names.evaluate(file, block.value, block.parent, 1 << 30)
        if thing.kind == "external"
        for method in (".recv", ".receive", "")
    )


def _heat_of_loop(file: int, facts: FileFacts, block: Block, kind: str) -> Heat:
    function = facts.functions[block.function].qualname if block.function >= 0 else ""
    place = f" in {function}" if function else ""
    if block.kind == "for":
        label = f"receive loop{place}"
    elif block.value is not None and block.value.const in (True, 1):
        label = f"while True loop{place}"
    else:
        label = f"endless loop{place}"
    return Heat(kind, label, file, block.place[0], block.number)


def forever(facts: FileFacts, block: Block, receives: set[int]) -> str:
    """Return ``loop`` or ``receive`` for a loop that does not end by itself, else ``""``.

    A ``while True`` that leaves by ``break`` or ``return`` on its data (pagination, a bounded
    retry) ends by itself; leaving on a stop flag or from an ``except`` does not count.
    """
    if block.kind == "for" and block.is_async:
        return "receive" if block.number in receives or _sounds_live(facts, block.value) else ""
    if block.kind not in {"for", "while"} or block.value is None:
        return ""
    inside = _below(facts, block.number)
    counts = block.kind == "for" and _endless_iterable(facts, block.value)
    if not counts and (block.kind == "for" or not _endless_test(facts, block, inside)):
        return ""
    receiving = bool(inside & receives)
    jumps = [jump for jump in facts.jumps if jump.block in inside]
    if any(_ends(facts, block, inside, jump, receiving) for jump in jumps):
        return ""
    return "receive" if receiving else "loop"


def _below(facts: FileFacts, top: int) -> set[int]:
    """Return ``top`` and the blocks inside it that the same function runs."""
    inside = {top}
    function = facts.blocks[top].function
    for block in facts.blocks[top + 1 :]:
        if block.parent not in inside and block.function == function and block.parent < top:
            break  # blocks are numbered in source order: this one is past the loop
        if block.parent in inside and block.function == function:
            inside.add(block.number)
    return inside


def _endless_iterable(facts: FileFacts, value: Value) -> bool:
    if not value.ref.startswith("@") or not value.ref[1:].isdigit():
        return False
    return facts.calls[int(value.ref[1:])].func in {"itertools.count", "count", "iter"}


def _endless_test(facts: FileFacts, block: Block, inside: set[int]) -> bool:
    test = block.value
    assert test is not None
    if test.kind == "const":
        return bool(test.const)
    if test.kind == "boolean":
        return all(_is_flag(facts, item, inside) for item in test.items)
    return _is_flag(facts, test, inside)


def _is_flag(facts: FileFacts, test: Value, inside: set[int]) -> bool:
    """Tell whether a condition is a stop flag: an attribute, an event, a name set elsewhere."""
    if test.kind == "const":
        return bool(test.const)
    if test.kind == "binary" and test.ref == "Not":
        return _is_flag(facts, test.items[0], inside)
    if test.kind != "ref":
        return False
    if test.ref.startswith("@"):
        number = test.ref[1:]
        func = facts.calls[int(number)].func if number.isdigit() else ""
        return func.endswith((".is_set", ".is_running", ".is_alive", ".is_closed", ".closed"))
    if "[]" in test.ref or any(
        call.block in inside
        and call.func.startswith(f"{test.ref}.")
        and call.func.endswith(_TAKING)
        for call in facts.calls
    ):
        return False  # "while todo: todo.pop()" ends when the list is empty
    return not any(
        assign.target == test.ref and assign.block in inside and not _settles(assign.value)
        for assign in facts.assigns
    )


def _settles(value: Value) -> bool:
    return value.kind == "const"


def _ends(facts: FileFacts, loop: Block, inside: set[int], jump: Jump, receiving: bool) -> bool:
    """Tell whether a jump leaves ``loop`` in the ordinary course of its work."""
    kind, at = jump.kind, jump.block
    if kind not in {"break", "return"}:
        return False
    while at != loop.number:
        block = facts.blocks[at]
        if block.kind == "except":
            return False
        if kind == "break" and block.kind in {"for", "while"}:
            return False
        if block.kind == "if" and block.value:
            # "if not message: break" is how a stream says that it is over, not the end of its work.
            over = receiving and block.value.ref == "Not"
            if _is_flag(facts, block.value, set() if over else inside):
                return False
        at = block.parent
    return True


def _sounds_live(facts: FileFacts, iterable: Value | None) -> bool:
    if iterable is None or iterable.kind not in {"element", "ref"}:
        return False
    ref = iterable.items[0].ref if iterable.kind == "element" else iterable.ref
    if ref.startswith("@"):
        number = ref[1:]
        return number.isdigit() and facts.calls[int(number)].func.endswith((".listen", ".stream"))
    return _LIVE.search(ref.rpartition(".")[2]) is not None
