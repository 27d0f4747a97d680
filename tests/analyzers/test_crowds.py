"""What starts coroutines side by side, what each does, and what holds them back."""

from collections.abc import Callable

import pytest

from perfscan.analyzers.context import Where
from perfscan.analyzers.crowds import Crowd, crowd_of, is_limited, starts_later, work_of

Look = Callable[[dict[str, str]], Where]
HEAD = """
import asyncio, aiohttp
limit = asyncio.Semaphore(5)
async def fetch(session: aiohttp.ClientSession, url):
    async with session.get(url) as reply:
        return await reply.text()
async def held(session, url):
    async with limit:
        return await fetch(session, url)
async def later(session, url):
    await asyncio.sleep(url.delay)
    return await fetch(session, url)
async def counted(session, url):
    return len(url)
"""


def crowd(look: Look, body: str) -> tuple[Crowd | None, Where]:
    code = HEAD + "async def main(session, urls):\n    " + body.replace("\n", "\n    ") + "\n"
    where = look({"bot.py": code})
    found = [crowd_of(call, where) for call in where.file.calls]
    return next((one for one in found if one is not None), None), where


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.gather(*[fetch(session, u) for u in urls])",
        "jobs = [fetch(session, u) for u in urls]\nawait asyncio.gather(*jobs)",
        "jobs = []\nfor u in urls:\n    jobs.append(fetch(session, u))\nawait asyncio.wait(jobs)",
        "for u in urls:\n    asyncio.create_task(fetch(session, u))",
    ],
)
def test_every_way_of_starting_many(look: Look, body: str) -> None:
    found, where = crowd(look, body)
    assert found is not None
    assert (found.func, found.iterable.ref) == ("fetch", "urls")
    assert work_of(found, where) == "network"
    assert not is_limited(found, where)


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.gather(fetch(session, 'a'), fetch(session, 'b'))",
        "for u in urls:\n    asyncio.create_task(fetch(session, u))\n    break",
        "while True:\n    asyncio.create_task(fetch(session, 'a'))",
    ],
)
def test_written_out_and_single_tasks_are_no_crowd(look: Look, body: str) -> None:
    assert crowd(look, body)[0] is None


def test_a_semaphore_below_holds_back(look: Look) -> None:
    found, where = crowd(look, "await asyncio.gather(*[held(session, u) for u in urls])")
    assert found is not None
    assert is_limited(found, where)


def test_a_sleep_of_its_own_spreads_them(look: Look) -> None:
    found, where = crowd(look, "await asyncio.gather(*[later(session, u) for u in urls])")
    assert found is not None
    assert starts_later(found, where)


def test_work_without_a_server(look: Look) -> None:
    found, where = crowd(look, "await asyncio.gather(*[counted(session, u) for u in urls])")
    assert found is not None
    assert work_of(found, where) == "none"
