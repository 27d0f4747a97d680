from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.errors import InputError
from perfscan.replay.yaml_node import YamlNode, did_you_mean, read_yaml


def node(folder: Path, text: str) -> YamlNode:
    path = folder / "f.yaml"
    path.write_text(text, "utf-8")
    return read_yaml(path)


def test_values_keep_what_is_written(tmp_path: Path) -> None:
    top = node(tmp_path, "port: 8080\non: yes\nrate: 1_000.5\nnone: ~\nlist: [a, 1]").mapping()

    assert (top["port"].scalar(), top["on"].scalar()) == ("8080", "yes")
    assert (top["port"].number(), top["rate"].number()) == (8080, 1000.5)
    assert top["on"].flag() is True
    assert top["none"].is_null
    assert top["list"].is_list
    assert [child.scalar() for child in top["list"].items()] == ["a", "1"]


def test_anchors_are_followed(tmp_path: Path) -> None:
    top = node(tmp_path, "a: &x {k: v}\nb: *x").mapping()

    assert top["b"].mapping()["k"].text() == "v"


@pytest.mark.parametrize(
    ("text", "method", "found"),
    [
        ("k: 5", "text", "a number ('5')"),
        ("k: ''", "text", "found nothing"),
        ("k: x", "number", "text ('x')"),
        ("k: .inf", "number", "a number"),
        ("k: 12:30", "number", "a number"),
        ("k: 1", "flag", "a number"),
        ("k:", "scalar", "found nothing"),
        ("k: {a: 1}", "scalar", "a mapping"),
        ("k: 2024-01-01", "text", "timestamp"),
        ("k: x", "items", "text"),
        ("k: [1]", "mapping", "a list"),
        ("k: {a: 1, a: 2}", "mapping", "appears twice"),
        ("k: {[a]: 1}", "mapping", "a key must be plain text"),
    ],
)
def test_wrong_types_name_line_and_key(tmp_path: Path, text: str, method: str, found: str) -> None:
    child = node(tmp_path, f"first: 1\n{text}").mapping()["k"]

    with pytest.raises(InputError) as caught:
        getattr(child, method)()
    assert str(caught.value.where).startswith(f"{tmp_path / 'f.yaml'}:2: k")
    assert found in caught.value.what


def test_the_nearest_word_is_named_only_when_it_is_near() -> None:
    assert did_you_mean("comand", ["command", "directory"]) == "; did you mean 'command'?"
    assert did_you_mean("xyz", ["command"]) == ""
