"""How loops meet failure: handlers, what they leave, what runs before the next turn."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.facts import Block, Value
from perfscan.analyzers.retries import (
    after_failure,
    always_gives_up,
    gives_up,
    handlers,
    is_broad,
    is_constant,
    reconnects,
    tried,
    work,
)

Look = Callable[[dict[str, str]], Where]

LOOP = """
def run():
    while True:
        before()
        try:
            work()
            try:
                inner()
            except KeyError:
                inner_failed()
        except {caught}:
            failed()
            {ending}
        after()
"""


def seen(look: Look, caught: str = "Exception", ending: str = "pass") -> tuple[Where, Block, Block]:
    where = look({"bot.py": LOOP.format(caught=caught, ending=ending)})
    loop = next(block for block in where.file.blocks if block.kind == "while")
    outer = next(
        handler
        for handler in handlers(loop, where)
        if "failed" in [call.func for call in where.calls_in(handler.number)]
    )
    return where, loop, outer


def test_what_a_handler_guards(look: Look) -> None:
    where, _, handler = seen(look)
    assert [call.func for call in work(handler, where)] == ["work", "inner"]
    assert tried(handler, where).kind == "try"


@pytest.mark.parametrize(
    ("ending", "expected"),
    [("pass", {"before", "failed", "after"}), ("continue", {"before", "failed"})],
)
def test_what_runs_after_a_failure(look: Look, ending: str, expected: set[str]) -> None:
    where, loop, handler = seen(look, ending=ending)
    assert {call.func for call in after_failure(handler, loop, where)} == expected


@pytest.mark.parametrize(
    ("caught", "expected"),
    [("Exception", True), ("(OSError, BaseException)", True), ("OSError", False)],
)
def test_broad_handlers(look: Look, caught: str, expected: bool) -> None:
    _, _, handler = seen(look, caught=caught)
    assert is_broad(handler) is expected


@pytest.mark.parametrize(
    ("ending", "sometimes", "always"),
    [
        ("raise", True, True),
        ("break", True, True),
        ("if bad(): return", True, False),
        ("continue", False, False),
    ],
)
def test_giving_up(look: Look, ending: str, sometimes: bool, always: bool) -> None:
    where, _, handler = seen(look, ending=ending)
    assert gives_up(handler, where) is sometimes
    assert always_gives_up(handler, where) is always


@pytest.mark.parametrize(
    ("delay", "expected"),
    [("2", True), ("PAUSE * 2", True), ("2 ** n", False), ("later()", False), ("0", False)],
)
def test_constant_delays(look: Look, delay: str, expected: bool) -> None:
    source = f"PAUSE = 1\ndef run():\n    while True:\n        wait({delay})"
    where = look({"bot.py": source})
    loop = next(block for block in where.file.blocks if block.kind == "while")
    call = next(call for call in where.file.calls if call.func == "wait")
    value: Value = call.args[0]
    assert is_constant(value, loop, where) is expected


def test_a_websocket_that_a_helper_opens(look: Look) -> None:
    source = """
        import websockets
        async def listen():
            async with websockets.connect("wss://a.org") as ws:
                await ws.recv()
        async def run():
            while True:
                await listen()
    """
    where = look({"bot.py": source})
    loop = next(block for block in where.file.blocks if block.kind == "while")
    found = reconnects(loop, where)
    assert found is not None
    assert [where.program.site(site).call.func for site in found.path] == [
        "listen",
        "websockets.connect",
    ]
