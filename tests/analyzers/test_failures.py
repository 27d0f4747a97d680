"""Which ``try`` takes a failure of the network, and which calls let one through."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.failures import is_caught, lets_through

Look = Callable[[dict[str, str]], Where]


def call_in(look: Look, body: str) -> tuple[Where, int]:
    where = look({"bot.py": "def f():\n    " + body.replace("\n", "\n    ") + "\n"})
    return where, next(call.block for call in where.file.calls if call.func == "work")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("work()", False),
        ("try:\n    work()\nexcept Exception:\n    pass", True),
        ("try:\n    work()\nexcept OSError as error:\n    print(error)", True),
        ("try:\n    work()\nexcept (KeyError, TypeError):\n    pass", False),
        ("try:\n    work()\nexcept KeyError:\n    pass\nexcept OSError:\n    pass", True),
        ("try:\n    work()\nexcept Exception:\n    print(1)\n    raise", False),
        ("try:\n    work()\nfinally:\n    print(1)", False),
        ("try:\n    print(1)\nexcept Exception:\n    pass\nwork()", False),
        ("with suppress(OSError):\n    work()", True),
        ("with lock:\n    work()", False),
    ],
)
def test_what_a_try_takes(look: Look, body: str, expected: bool) -> None:
    where, block = call_in(look, body)
    assert is_caught(block, where) is expected


def test_up_to_a_block_only(look: Look) -> None:
    body = "try:\n    for x in y:\n        work()\nexcept Exception:\n    pass"
    where, block = call_in(look, body)
    loop = next(b.number for b in where.file.blocks if b.kind == "for")
    assert is_caught(block, where)
    assert not is_caught(block, where, loop)


@pytest.mark.parametrize(
    ("helper", "expected"),
    [
        ("def h(u):\n    return requests.get(u)", True),
        ("def h(u):\n    return inner(u)\ndef inner(u):\n    return requests.get(u)", True),
        (
            "def h(u):\n    try:\n        return requests.get(u)\n    except OSError: pass",
            False,
        ),
        ("@retry\ndef h(u):\n    return requests.get(u)", False),
        ("@staticmethod\ndef h(u):\n    return requests.get(u)", True),
        ("def h(u):\n    return len(u)", False),
        ("async def h(u):\n    return requests.get(u)", False),
    ],
)
def test_what_comes_out_of_a_helper(look: Look, helper: str, expected: bool) -> None:
    where = look({"bot.py": f"import requests\n{helper}\ndef main(u):\n    h(u)\n"})
    call = next(call for call in where.file.calls if call.func == "h")
    assert (lets_through(call, where) is not None) is expected
