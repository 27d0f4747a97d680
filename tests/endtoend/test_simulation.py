"""Simulated services, a bot of three lines, and the recording that is made of both."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from perfscan.fixtures.simulation.recording import Line, Take, record
from perfscan.replay.model import Request
from perfscan.replay.recording import read_recording

pytestmark = pytest.mark.endtoend

SERVICES = """
    import asyncio, sys
    from pathlib import Path
    from aiohttp import web
    from perfscan.fixtures.simulation.distance import Distance, Endpoint, Host
    from perfscan.fixtures.simulation.serving import json_answer, serve, tell

    HOSTS = {"api.far.example": Host(0.1, {"hello": Endpoint(0.001, 0.1)})}

    async def main():
        distance = Distance(1, HOSTS)

        async def hello(request):
            tell(asked=request.query["who"])
            await asyncio.sleep(distance.request("api.far.example", "hello", "k")[0])
            return json_answer({"hello": request.query["who"]})

        app = web.Application()
        app.add_routes([web.get("/hello", hello)])
        await serve({"api.far.example": app}, distance.connection_s, Path(sys.argv[-1]))

    asyncio.run(main())
"""
BOT = """
    import os, time, urllib.request
    from pathlib import Path

    who = Path("who.txt").read_text() + os.environ["SUFFIX"]
    while True:
        urllib.request.urlopen(f"https://api.far.example/hello?who={who}").read()
        time.sleep(0.1)
"""


def test_a_bot_is_recorded_until_enough_was_seen(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "bot.py").write_text(textwrap.dedent(BOT), "utf-8")
    (tmp_path / "services.py").write_text(textwrap.dedent(SERVICES), "utf-8")
    take = Take(
        services=[tmp_path / "services.py"],
        bot=tmp_path / "bot",
        environment={"SUFFIX": "!"},
        prepare=["python", "-c", "open('who.txt', 'w').write('otter')"],
        last_answer_s=1.0,
    )

    def enough(told: object) -> bool:
        return len(asked(told)) >= 3

    told = record(take, tmp_path / "traffic.jsonl", enough)
    assert set(asked(told)) == {"otter!"}
    assert not (tmp_path / "bot" / "who.txt").exists()
    recording = read_recording(tmp_path / "traffic.jsonl")
    requests = [event for event in recording.events if isinstance(event, Request)]
    assert len(requests) >= 3


def test_services_that_break_down_end_the_recording(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "bot.py").write_text(textwrap.dedent(BOT), "utf-8")
    (tmp_path / "bot" / "who.txt").write_text("otter", "utf-8")
    services = textwrap.dedent(SERVICES).replace(
        'tell(asked=request.query["who"])', "import os; os._exit(1)"
    )
    (tmp_path / "services.py").write_text(services, "utf-8")
    take = Take([tmp_path / "services.py"], tmp_path / "bot", {"SUFFIX": "!"})

    with pytest.raises(SystemExit, match="the services ended by themselves"):
        record(take, tmp_path / "traffic.jsonl", lambda told: False)


def asked(told: list[Line]) -> list[str]:
    return [line["asked"] for line in told if "asked" in line]
