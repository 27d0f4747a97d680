"""Findings that weigh less than their rule usually does, because of what stands around them."""

from pathlib import Path

import pytest

from perfscan.analyzers.engine import analyze

TASK = """
import asyncio
import contextlib

async def send(text):
    await asyncio.sleep(0)

async def careful(text):
    try:
        await send(text)
    except Exception as error:
        print(error)

async def quiet(text):
    with contextlib.suppress(Exception):
        await send(text)

async def halfway(text):
    await asyncio.sleep(1)
    with contextlib.suppress(Exception):
        await send(text)

async def on_message(text):
    asyncio.create_task({coroutine}(text))
"""

COPIES = """
import asyncio
import shutil

async def copy(names):
    for name in names:
        shutil.copy(name, "/srv")

async def listen(stream, names):
    while True:
        await stream.recv()
        {each}

async def install(names):
    await copy(names)
"""


TOTAL = """
import numpy as np

def total(prices):
    {body}

def slow_total(prices):
    values, result = np.asarray(prices), 0.0
    for value in values:
        result += value * 2
    return result
"""
FALLBACK = """try:
        from fast import total
        return total(prices)
    except ImportError:
        return slow_total(prices)"""

JOBS = """
import peewee

class Job(peewee.Model):
    done = peewee.BooleanField()

def drop(limit):
    for job in Job.select().order_by(Job.id){limit}:
        print(job)
        Job.delete().where(Job.id == job.id).execute()
"""


NAP = """
import time

async def send(text):
    for attempt in range(3):
        time.sleep({seconds})
"""

HELPER = """
import time

def again(text):
    for attempt in range(3):
        time.sleep({seconds})

async def send(text):
    again(text)
"""

ROWS = """
import pandas as pd
import requests

def load(pair):
    return requests.get("https://api.example.org/candles", params={{"pair": pair}}, timeout=5)

def replay(pair):
    return load(pair).json()

def rank(pair):
    return len(pair)

def review(path):
    for _, trade in pd.read_csv(path).iterrows():
        print({each}(trade["pair"]))
"""


def severity(folder: Path, rule: str, code: str) -> str:
    (folder / "bot.py").write_text(code, "utf-8")
    (finding,) = analyze([folder], root=folder, select=[rule]).findings
    return finding.severity.name.lower()


@pytest.mark.parametrize(
    ("coroutine", "expected"),
    [("send", "high"), ("halfway", "high"), ("careful", "medium"), ("quiet", "medium")],
)
def test_a_task_that_handles_its_failures(tmp_path: Path, coroutine: str, expected: str) -> None:
    assert severity(tmp_path, "PS204", TASK.format(coroutine=coroutine)) == expected


@pytest.mark.parametrize(("each", "expected"), [("await copy(names)", "medium"), ("pass", "low")])
def test_files_that_no_loop_of_the_bot_copies(tmp_path: Path, each: str, expected: str) -> None:
    assert severity(tmp_path, "PS107", COPIES.format(each=each)) == expected


@pytest.mark.parametrize(
    ("body", "expected"), [(FALLBACK, "low"), ("return slow_total(prices)", "medium")]
)
def test_what_stands_in_for_a_missing_package(tmp_path: Path, body: str, expected: str) -> None:
    assert severity(tmp_path, "PS806", TOTAL.format(body=body)) == expected


@pytest.mark.parametrize(("limit", "expected"), [("", "high"), (".limit(200)", "medium")])
def test_a_query_for_each_of_a_limited_number(tmp_path: Path, limit: str, expected: str) -> None:
    assert severity(tmp_path, "PS901", JOBS.format(limit=limit)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("1", "critical"),
        ("0.01 * len(text)", "critical"),
        ("2 * (attempt + 1)", "critical"),
        ("0.01 * (attempt + 1)", "medium"),
        ("0.02", "medium"),
    ],
)
def test_hundredths_of_a_second(tmp_path: Path, seconds: str, expected: str) -> None:
    assert severity(tmp_path, "PS102", NAP.format(seconds=seconds)) == expected


@pytest.mark.parametrize(("seconds", "expected"), [("1", "critical"), ("0.02", "high")])
def test_hundredths_of_a_second_in_a_helper(tmp_path: Path, seconds: str, expected: str) -> None:
    assert severity(tmp_path, "PS104", HELPER.format(seconds=seconds)) == expected


@pytest.mark.parametrize(("each", "expected"), [("rank", "high"), ("replay", "low")])
def test_rows_that_each_lead_to_a_request(tmp_path: Path, each: str, expected: str) -> None:
    assert severity(tmp_path, "PS801", ROWS.format(each=each)) == expected
