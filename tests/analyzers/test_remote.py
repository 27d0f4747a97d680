"""What a piece of code comes to: servers asked through helpers, pauses, limiters, streams."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.remote import asks_server, is_limiter, is_stream, pauses, reaches

Look = Callable[[dict[str, str]], Where]


def sinks(where: Where, func: str = "start") -> list[str]:
    starts = [call for call in where.file.calls if call.func == func]
    found = reaches(where, starts, asks_server)
    return [where.program.site(reach.sink).call.func for reach in found]


def test_a_server_is_reached_through_helpers_of_other_files(look: Look) -> None:
    bot = "from api import fetch\ndef start():\n    fetch()\nstart()"
    api = "import requests\ndef fetch():\n    return requests.get('u')"
    assert sinks(look({"bot.py": bot, "api.py": api})) == ["requests.get"]


def test_failure_paths_are_left_out(look: Look) -> None:
    bot = """
        import requests
        def start():
            try:
                print()
            except ValueError:
                requests.get('u')
        start()
    """
    assert sinks(look({"bot.py": bot})) == []


def test_helpers_that_call_each_other_end(look: Look) -> None:
    bot = "def start():\n    other()\ndef other():\n    start()\nstart()"
    assert sinks(look({"bot.py": bot})) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("time.sleep(1)", True),
        ("time.sleep(0)", False),
        ("self.rate_limiter.acquire()", True),
        ("with throttle:\n        work()", True),
        ("if late():\n        time.sleep(1)", True),
        ("try:\n        work()\n    except OSError:\n        time.sleep(1)", False),
        (
            "for _ in range(3):\n        if work():\n            return\n        time.sleep(1)",
            False,
        ),
        ("helper()", True),
        ("work()", False),
    ],
)
def test_pauses(look: Look, body: str, expected: bool) -> None:
    bot = f"import time\ndef helper():\n    time.sleep(1)\ndef start():\n    {body}\nstart()"
    where = look({"bot.py": bot})
    call = next(call for call in where.file.calls if call.func == "start")
    assert pauses(call, where) is expected


@pytest.mark.parametrize(
    ("manager", "expected"),
    [("self.throttle", True), ("semaphore", True), ("Limiter(5)", True), ("open('f')", False)],
)
def test_limiters_are_known_by_name(look: Look, manager: str, expected: bool) -> None:
    where = look({"bot.py": f"def f():\n    with {manager}:\n        pass"})
    block = next(block for block in where.file.blocks if block.kind == "with")
    assert is_limiter(block, where) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("aiohttp.ClientSession().get", False),
        ("aiohttp.ClientSession().ws_connect", True),
        ("websockets.asyncio.client.ClientConnection().send", True),
        ("requests.get", False),
        ("redis.client.PubSub().get_message", True),
    ],
)
def test_streams(look: Look, path: str, expected: bool) -> None:
    where = look({"bot.py": ""})
    effect = where.knowledge.effect(path)
    assert effect is not None
    assert is_stream(effect, where) is expected
