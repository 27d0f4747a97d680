"""``variants`` of a scenario file."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.scenario import read_scenario

HEAD = """\
schema: perfscan.scenario/1
name: s
recording: traffic.jsonl
implementations:
  original: {command: "python bot.py"}
  optimized: {command: "python bot.py"}
items:
  stimulus: {websocket: "wss://h/", key: {pattern: "(x)"}}
  effect: {request: "POST https://h/send", key: {path: $.id}}
variants:
"""


def write(folder: Path, text: str) -> Path:
    for name in ("traffic.jsonl", "burst.jsonl"):
        (folder / name).touch()
    path = folder / "scenario.yaml"
    path.write_text(HEAD + text, "utf-8")
    return path


def test_variants_keep_their_order_and_say_only_what_is_otherwise(tmp_path: Path) -> None:
    text = """\
  far: {title: Far away, faults: ["latency=1s,loss=5%"]}
  burst: {recording: burst.jsonl, load: 2.5}
  off:
    load: 3x
    original: {environment: {A: 1}}
    optimized: {command: python -m other}
"""
    far, burst, off = read_scenario(write(tmp_path, text)).variants
    assert (far.name, far.title) == ("far", "Far away")
    assert [fault.spec for fault in far.faults] == ["latency=1s", "loss=5%"]
    assert (far.recording, far.load) == (None, 1.0)
    assert not far.original
    assert (burst.title, burst.recording, burst.load) == ("burst", tmp_path / "burst.jsonl", 2.5)
    assert (off.load, off.original.environment) == (3.0, {"A": "1"})
    assert off.optimized.command == ("python", "-m", "other")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("  a: {}", "variants.a", "nothing is otherwise"),
        ("  a: {title: A}", "variants.a", "nothing is otherwise"),
        ("  a: {fault: [loss=5%]}", "variants.a.fault", "did you mean 'faults'"),
        ("  a: {faults: [los=5%]}", "variants.a.faults[0]", "did you mean 'loss'"),
        ("  a: {recording: none.jsonl}", "variants.a.recording", "no such file"),
        ("  a: {load: fast}", "variants.a.load", "not a factor: 'fast'"),
        ("  a: {load: 0}", "variants.a.load", "not a factor"),
        ("  a: {optimized: {}}", "variants.a.optimized", "nothing is otherwise"),
        ("  a: {optimized: {directory: x}}", "variants.a.optimized.directory", "unknown key"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, text: str, where: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        read_scenario(write(tmp_path, text))
    assert str(caught.value.where).endswith(where)
    assert what in caught.value.what
