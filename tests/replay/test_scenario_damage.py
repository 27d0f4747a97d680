"""Scenarios that somebody or something has damaged: a scenario or one clear line, nothing else.

``PERFSCAN_EXAMPLES=5000`` tries that many of each kind instead of a few.
"""

from __future__ import annotations

import copy
import os
import random
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfscan.errors import InputError
from perfscan.replay import scenario as module
from perfscan.replay.scenario import read_bench

many = settings(
    max_examples=int(os.environ.get("PERFSCAN_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e308, float("nan"), 10**400, "", " ", "$", "$[", "*", "(", "GET", "\x00"),
    *("POST https://", "wss://x", "../..", "1/0s", [], {}, [[]], {"": ""}, {"a": {"b": []}}),
)


@cache
def examples() -> list[Any]:
    """Return the whole scenarios of the manual, as YAML reads them."""
    blocks = re.split(r"::\n", module.__doc__ or "")[1:]
    texts = ["\n".join(_indented(block)) for block in blocks]
    found = [yaml.safe_load(textwrap.dedent(text)) for text in texts]
    return [one for one in found if "schema" in one]


def _indented(block: str) -> Iterator[str]:
    for line in block.splitlines():
        if line and not line.startswith(" "):
            return
        yield line


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner: Any = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        inner = enumerate(value)
    for key, child in inner:
        yield from places(child, (*path, key))


def damaged(whole: Any, draw: random.Random) -> Any:
    """Return a copy with some of its values removed, replaced, repeated or renamed."""
    changed = copy.deepcopy(whole)
    for _ in range(draw.randint(1, 3)):
        *parents, last = draw.choice(list(places(changed))[1:] or [("schema",)])
        holder = changed
        for step in parents:
            holder = holder[step]
        match draw.randrange(4):
            case 0:
                del holder[last]
            case 1:
                holder[last] = draw.choice(ODD)
            case 2 if isinstance(holder, dict):
                holder[draw.choice(["x", 1, None, f"{last}s"])] = holder.pop(last)
            case _:
                holder[last] = [holder[last], holder[last]]
    return changed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("original", "optimized"):
        (tmp_path / name).mkdir()
    for name in ("traffic.jsonl.gz", "ohlcv.csv.gz", "schema.sql", "commands.txt"):
        (tmp_path / name).touch()
    return tmp_path


def read(folder: Path, content: bytes) -> None:
    """Read a scenario; what is wrong must be said in one line that names the file."""
    file = folder / "scenario.yaml"
    file.write_bytes(content)
    try:
        read_bench(file)
    except InputError as error:
        line, where = error.what, str(error.where)
    else:
        return
    assert "\n" not in line
    assert where.startswith(str(file))


def test_the_examples_are_whole(folder: Path) -> None:
    assert [one.get("kind") for one in examples()] == [None, "compute"]
    for whole in examples():
        file = folder / "scenario.yaml"
        file.write_text(yaml.safe_dump(whole, sort_keys=False), "utf-8")
        assert read_bench(file).name == whole["name"]


@many
@given(st.integers(0, 10**9))
def test_values_that_are_wrong(folder: Path, seed: int) -> None:
    draw = random.Random(seed)
    whole = damaged(draw.choice(examples()), draw)
    read(folder, yaml.safe_dump(whole, sort_keys=False, allow_unicode=True).encode())


@many
@given(st.integers(0, 10**9))
def test_text_that_is_wrong(folder: Path, seed: int) -> None:
    draw = random.Random(seed)
    text = bytearray(yaml.safe_dump(draw.choice(examples()), sort_keys=False).encode())
    for _ in range(draw.randint(1, 4)):
        begin = draw.randrange(len(text))
        text[begin : begin + draw.randint(0, 20)] = draw.randbytes(draw.randint(0, 6))
    read(folder, bytes(text))


@many
@given(st.binary(max_size=200))
def test_anything_at_all(folder: Path, content: bytes) -> None:
    read(folder, content)


@many
@given(
    st.recursive(
        st.sampled_from(ODD[:14]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["schema", "items", "match", "kind", "limits"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_any_yaml(folder: Path, value: Any) -> None:
    read(folder, yaml.safe_dump(value).encode())
