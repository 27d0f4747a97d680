"""Whether a log handler holds up the event loop depends on the rest of the program."""

from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

HANDLER = 'import logging\nlogging.getLogger().addHandler(logging.FileHandler("bot.log"))\n'
LISTENER = """
import logging, websockets
logger = logging.getLogger(__name__)

async def listen(uri):
    async with websockets.connect(uri) as stream:
        async for message in stream:
            {turn}
"""
QUEUE = "import logging.handlers\nhandler = logging.handlers.QueueHandler(lines)\n"


@pytest.mark.parametrize(
    ("turn", "queue", "count"),
    [
        ("logger.info(message)", "", 1),
        ("logger.info(message)", QUEUE, 0),
        ("print(message)", "", 0),
    ],
)
def test_a_file_handler(turn: str, queue: str, count: int, tmp_path: Path) -> None:
    (tmp_path / "logs.py").write_text(HANDLER, "utf-8")
    (tmp_path / "bot.py").write_text(LISTENER.format(turn=turn), "utf-8")
    (tmp_path / "queue_of_lines.py").write_text(queue, "utf-8")
    assert len(analyze([tmp_path], root=tmp_path, select=["PS1202"]).findings) == count
