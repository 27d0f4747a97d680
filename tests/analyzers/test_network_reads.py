"""Names of calls whose order matters, and awaited calls that only read."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.model import Confidence
from perfscan.analyzers.network_reads import ends_something, is_ordered, named, network_read

Look = Callable[[dict[str, str]], Where]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("create_order", True),
        ("_async_send_message", True),
        ("async_turn_on", True),
        ("pin_message", True),
        ("ping", False),
        ("aget_price", False),
        ("fetch_balance", False),
        ("get_positions", False),
    ],
)
def test_verbs(name: str, expected: bool) -> None:
    assert is_ordered(name) is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("await client.get(u)", Confidence.PROBABLE),
        ("await asyncio.to_thread(requests.get, u)", Confidence.PROBABLE),
        ("await asyncio.to_thread(len, u)", None),
        ("await client.aclose()", None),
        ("await thing.fetch(u)", Confidence.POSSIBLE),
        ("client.get(u)", None),
    ],
)
def test_reads(look: Look, code: str, expected: Confidence | None) -> None:
    head = "import asyncio, httpx, requests\n"
    body = f"async def f(client: httpx.AsyncClient, thing, u):\n    {code}\n"
    where = look({"bot.py": head + body})
    assert network_read(where.file.calls[-1], where) is expected


@pytest.mark.parametrize(
    ("name", "request_made", "expected"),
    [
        ("reopen_ticket", "await client.post(u)", None),
        ("assign_agent", "await client.patch(u)", None),
        ("rate_ticket", "await client.get(u)", Confidence.PROBABLE),
        ("find_ticket", "await client.post(u)", Confidence.PROBABLE),
        # A coroutine that blocks instead of awaiting.
        ("find_ticket", "requests.get(u)", Confidence.DEFINITE),
        ("place_order", "requests.get(u)", None),
        ("find_ticket", "len(u)", None),
    ],
)
def test_reads_by_way_of_a_helper(
    look: Look, name: str, request_made: str, expected: Confidence | None
) -> None:
    head = "import httpx, requests\n"
    helper = f"async def {name}(client: httpx.AsyncClient, u):\n    return {request_made}\n"
    user = f"async def use(client, u):\n    await {name}(client, u)\n"
    where = look({"bot.py": head + helper + user})
    assert network_read(where.file.calls[-1], where) is expected


def test_endings_and_names(look: Look) -> None:
    where = look(
        {"bot.py": "async def f(b, p):\n    await b.close_position(p)\n    await b.close()\n"}
    )
    assert [ends_something(call) for call in where.file.calls] == [True, False]
    assert named(where.file.calls[0], where) == "b.close_position()"
