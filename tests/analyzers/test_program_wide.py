"""Rules that hold their tongue because of what another file, or the requirements, say."""

from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

FLASK = """
from flask import Flask, jsonify
app = Flask(__name__, static_folder="public")

@app.get("/history")
def history():
    rows = [{"price": 1.0} for _ in range(1000)]
    return jsonify(rows)
"""

ALERTS = """
import requests

def alert_all(chats):
    for chat in chats:
        requests.post("https://api.telegram.org/bot1/sendMessage", json={"id": chat}, timeout=5)
"""

CONNECTOR = "import aiohttp\n\ndef connector():\n    return aiohttp.TCPConnector(limit=0)\n"
CACHE = 'import redis\n\ncache = redis.Redis(host="cache")\n'


def found(folder: Path, rule: str, **files: str) -> list[str]:
    for name, text in files.items():
        suffix = ".txt" if name == "requirements" else ".py"
        (folder / f"{name}{suffix}").write_text(text, "utf-8")
    scan = analyze([folder], root=folder, select=[rule])
    return [finding.severity.name.lower() for finding in scan.findings]


@pytest.mark.parametrize(
    ("rule", "code", "severity"),
    [
        ("PS306", FLASK, "low"),
        ("PS507", FLASK, "low"),
        ("PS605", ALERTS, "medium"),
        ("PS305", CONNECTOR, "info"),
        ("PS601", CACHE, "low"),
    ],
)
def test_alone_it_is_found(tmp_path: Path, rule: str, code: str, severity: str) -> None:
    assert found(tmp_path, rule, bot=code) == [severity]


@pytest.mark.parametrize(
    ("rule", "code", "elsewhere"),
    [
        ("PS306", FLASK, "from flask_compress import Compress\n"),
        ("PS306", FLASK, "from starlette.middleware.gzip import GZipMiddleware\n"),
        ("PS507", FLASK, 'CONFIG = {"SEND_FILE_MAX_AGE_DEFAULT": 3600}\n'),
        ("PS507", FLASK, 'def add(reply):\n    reply.headers["Cache-Control"] = "max-age=60"\n'),
        ("PS605", ALERTS, "from aiolimiter import AsyncLimiter\n"),
        ("PS305", CONNECTOR, "import asyncio\nlimit = asyncio.Semaphore(10)\n"),
    ],
)
def test_another_file_speaks_for_it(tmp_path: Path, rule: str, code: str, elsewhere: str) -> None:
    assert found(tmp_path, rule, bot=code, other=elsewhere) == []


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [("redis>=8.0", []), ("redis==5.0.1", ["medium"]), ("redis", ["low"])],
)
def test_the_version_of_redis_decides(
    tmp_path: Path, requirements: str, expected: list[str]
) -> None:
    assert found(tmp_path, "PS601", bot=CACHE, requirements=requirements) == expected
