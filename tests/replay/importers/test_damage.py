"""Malformed recordings of every format: a recording comes out or one clear line, nothing else.

``PERFSCAN_EXAMPLES=5000`` tries that many of each kind and format instead of a few.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from perfscan.errors import InputError
from perfscan.replay.exporters.har import archive
from perfscan.replay.model import Recording
from perfscan.replay.recording import read_recording, read_what_can_be_read, recording_lines
from perfscan.replay.soundness import examine
from perfscan.replay.summary import summarise
from perfscan.replay.tnetstring import parse_all

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "importers"
SOURCES = sorted(path.with_suffix("") for path in FIXTURES.glob("*/*.jsonl"))
NATIVE = FIXTURES / "mitmproxy_flow" / "version_21.mitm.jsonl"
ALL = [*SOURCES, NATIVE]
many = settings(
    max_examples=int(os.environ.get("PERFSCAN_EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
ODD_BYTES = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\n",
    b":",
    b"-1",
    b"1e999",
    b"NaN",
    b"[" * 300,
    b"9" * 400,
]
ODD_VALUES: list[Any] = [
    *(None, True, -1, 0, 10**30, -(10**30), 1.5, 1e308, float("nan"), float("inf"), ""),
    *("\ud800", "\x00", "x\r\ny", "0" * 5000, "http://[", "ws://a:99999/", "1e400", "²", "gzip"),
    *([], [[]], {}, {"a": None}, [[["deep"]]], [None], {"encoding": "base64", "text": "%"}),
]


@cache
def content(path: Path) -> bytes:
    return path.read_bytes()


def outcome(raw: bytes) -> Recording | InputError:
    """Read ``raw``; whatever comes out must be fit for every other use of a recording."""
    with tempfile.NamedTemporaryFile(prefix="perfscan-damage-") as file:
        file.write(raw)
        file.flush()
        path = Path(file.name)
        try:
            recording = read_recording(path)
        except InputError as error:
            return one_clear_line(error)
        reading = read_what_can_be_read(path)
    assert reading.recording.events == recording.events
    examine(reading)
    summarise(recording)
    json.dumps(archive(recording))
    assert b"".join(recording_lines(recording))
    return recording


def one_clear_line(error: InputError) -> InputError:
    assert "\n" not in str(error)
    assert len(str(error)) < 1500
    return error


def cut(raw: bytes, dice: random.Random) -> bytes:
    return raw[: dice.randrange(len(raw))]


def flipped(raw: bytes, dice: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(dice.randint(1, 8)):
        changed[dice.randrange(len(raw))] = dice.randrange(256)
    return bytes(changed)


def spliced(raw: bytes, dice: random.Random) -> bytes:
    start, end = sorted(dice.randrange(len(raw)) for _ in range(2))
    return raw[:start] + dice.choice([*ODD_BYTES, raw[start:end] * 2]) + raw[end:]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
@pytest.mark.parametrize("damage", [cut, flipped, spliced])
@many
@given(seed=st.integers(0, 2**32))
def test_damaged_bytes(
    path: Path, damage: Callable[[bytes, random.Random], bytes], seed: int
) -> None:
    outcome(damage(content(path), random.Random(seed)))


# --- Values of the wrong kind ---------------------------------------------------------------------


def slots(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a document."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys: Any = list(one) if isinstance(one, dict) else range(len(one))
        for key in keys:
            found.append((one, key))
            if isinstance(one[key], dict | list):
                waiting.append(one[key])
    return found


def changed(document: Any, dice: random.Random) -> Any:
    for _ in range(dice.randint(1, 3)):
        places = slots(document)
        if not places:
            break
        container, key = dice.choice(places)
        if dice.random() < 0.2:
            del container[key]
        else:
            container[key] = deepcopy(dice.choice(ODD_VALUES))
    return document


def netstring(value: Any) -> bytes:
    """Write a value as mitmproxy does."""
    kind: bytes
    if value is None:
        data, kind = b"", b"~"
    elif isinstance(value, bool):
        data, kind = str(value).lower().encode(), b"!"
    elif isinstance(value, int):
        data, kind = str(value).encode(), b"#"
    elif isinstance(value, float):
        data, kind = repr(value).encode(), b"^"
    elif isinstance(value, bytes):
        data, kind = value, b","
    elif isinstance(value, str):
        data, kind = value.encode("utf-8", "replace"), b";"
    elif isinstance(value, list):
        data, kind = b"".join(map(netstring, value)), b"]"
    else:
        pairs = (netstring(key) + netstring(item) for key, item in value.items())
        data, kind = b"".join(pairs), b"}"
    return b"%d:%b%b" % (len(data), data, kind)


def flows(document: list[Any]) -> bytes:
    return b"".join(map(netstring, document))


def json_lines(document: list[Any]) -> bytes:
    return "\n".join(map(json.dumps, document)).encode() + b"\n"


def loaded(path: Path) -> tuple[Any, Callable[[Any], bytes]]:
    """Return the document of a fixture and what writes it."""
    raw = content(path)
    if path.suffix == ".mitm":
        return list(parse_all(raw)), flows
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in raw.splitlines()], json_lines
    if path.suffix in (".yaml", ".yml"):
        text = raw.replace(b"!binary", b"!!binary").replace(b"!!!", b"!!").decode()
        return yaml.safe_load(text), lambda value: yaml.safe_dump(value).encode("utf-8", "replace")
    return json.loads(raw.removeprefix(b"\xef\xbb\xbf")), lambda value: json.dumps(value).encode()


STRUCTURED = [path for path in ALL if path.suffix not in (".0", ".gor")]


@pytest.mark.parametrize("path", STRUCTURED, ids=lambda path: path.name)
@many
@given(seed=st.integers(0, 2**32))
def test_values_of_the_wrong_kind(path: Path, seed: int) -> None:
    document, written = loaded(path)
    try:
        raw = written(changed(document, random.Random(seed)))
    except yaml.YAMLError:
        return
    outcome(raw)


@pytest.mark.parametrize("path", STRUCTURED, ids=lambda path: path.name)
def test_what_writes_the_documents_writes_them_right(path: Path) -> None:
    document, written = loaded(path)
    found = outcome(written(document))
    assert isinstance(found, Recording)
    assert found.events == read_recording(path).events


# --- Beginnings that promise a format -------------------------------------------------------------

BEGINNINGS = [
    b'{"log": ',
    b"interactions:\n",
    b'{"version": 1, "interactions": [',
    b"http_interactions:\n",
    b'{"http_interactions": [',
    b"9:9:websocket;",
    b"wss://a.example <-> 1618678132.3\n",
    b"1618678132.3: ",
    b"1 aaaaaaaaaaaaaaaaaaaaaaaa 1700000000000000000 0\n",
    b'{"schema":"perfscan.recording/1"}\n',
    b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd",
]


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=lambda raw: repr(raw[:20]))
@many
@given(rest=st.binary(max_size=200))
@example(rest=b"[" * 100_000)
@example(rest=b"- " * 50_000)
@example(rest=b"{a: " * 20_000)
@example(rest=b"&a [*a, *a]")
@example(rest=b"1:" * 50_000)
@example(rest=b'{"a":' * 50_000)
@example(rest=b"999999999999:x")
@example(rest=b"\r\n".join([b"GET / HTTP/1.1", b"Host: [", b"", b"", "🐵".encode()]))
def test_beginnings_that_promise_a_format(beginning: bytes, rest: bytes) -> None:
    outcome(beginning + rest)
