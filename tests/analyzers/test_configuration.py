from __future__ import annotations

from pathlib import Path

import pytest

from perfscan.analyzers.configuration import (
    Configuration,
    find_configuration,
    read_configuration,
)
from perfscan.errors import InputError

TOML = """
[tool.perfscan]
select = ["PS1", "unbounded-gather"]
ignore = ["ps107"]
exclude = ["scripts/"]
fail-on = "medium"
baseline = "accepted.json"
knowledge = ["house.yaml"]

[tool.perfscan.per-path-ignores]
"tests/**" = ["PS107", "PS2"]

[[tool.perfscan.blocking]]
call = "mylib.fetch"
instead = "mylib.aio.fetch"
"""
YAML = """
select: [PS1, unbounded-gather]
ignore: ps107
exclude: [scripts/]
fail-on: medium
baseline: accepted.json
knowledge: house.yaml
per-path-ignores: {tests/**: [PS107, PS2]}
blocking: [{call: mylib.fetch, instead: mylib.aio.fetch}]
"""


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(("name", "text"), [("pyproject.toml", TOML), ("perfscan.yaml", YAML)])
def test_every_key_in_both_languages(name: str, text: str, tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, name, text))
    assert found.select == ("PS1", "unbounded-gather")
    assert found.ignore == ("ps107",)
    assert found.exclude == ("scripts/",)
    assert (found.fail_on, found.baseline) == ("medium", tmp_path / "accepted.json")
    assert found.knowledge == (tmp_path / "house.yaml",)
    ((pattern, rules),) = found.per_path_ignores
    assert pattern == "tests/**"
    assert {"PS107", "PS201"} <= rules
    assert "PS101" not in rules
    ((effect,),) = (library.functions for library in found.blocking)
    assert (effect.path, effect.replacement, effect.cost) == (
        "mylib.fetch",
        "mylib.aio.fetch",
        "network",
    )


def test_a_method_is_meant_on_instances(tmp_path: Path) -> None:
    text = "blocking: [{call: mylib.db.Client.fetch, cost: database}]"
    (library,) = read_configuration(written(tmp_path, "perfscan.yaml", text)).blocking
    assert [(one.path, one.cost) for one in library.functions] == [
        ("mylib.db.Client.fetch", "database"),
        ("mylib.db.Client().fetch", "database"),
    ]


def test_an_empty_file_configures_nothing(tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, "perfscan.yaml", "# nothing yet\n"))
    assert found == Configuration(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("selekt: [PS1]", "", "unknown key 'selekt', did you mean 'select'?"),
        ("select: [PS1, PS999]", "select", "there is no rule PS999"),
        ("select: {PS1: yes}", "select", "expected a list"),
        ("fail-on: worst", "fail-on", "'worst' is not known here"),
        ("exclude: [1]", "exclude[0]", "expected a text"),
        ("per-path-ignores: [PS1]", "per-path-ignores", "expected a mapping"),
        ("per-path-ignores: {a: [PSX]}", "per-path-ignores.a", "there is no rule PSX"),
        ("thresholds: {nothing: {lines: 1}}", "thresholds", "unknown key 'nothing'"),
        ("blocking: [{instead: x}]", "blocking[0]", "needs its dotted name"),
        ("blocking: [{call: fetch}]", "blocking[0].call", "is no dotted name"),
        ("- PS1", "", "expected a mapping"),
        ("select: [", "", "is not valid YAML"),
    ],
)
def test_a_mistake_names_its_place(text: str, where: str, what: str, tmp_path: Path) -> None:
    file = written(tmp_path, "perfscan.yaml", text)
    with pytest.raises(InputError) as caught:
        read_configuration(file)
    assert caught.value.what.startswith(what) or what in caught.value.what
    assert caught.value.where == (f"{file}: {where}" if where else str(file))


def test_a_mistake_in_toml_names_the_table(tmp_path: Path) -> None:
    file = written(tmp_path, "pyproject.toml", '[tool.perfscan]\nselect = ["nothing"]\n')
    with pytest.raises(InputError) as caught:
        read_configuration(file)
    assert caught.value.where == f"{file}: tool.perfscan.select"


@pytest.mark.parametrize("text", ["[tool.perfscan\n", "tool = 1 # perfscan\n"])
def test_broken_toml(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not valid TOML"):
        find_configuration(written(tmp_path, "pyproject.toml", text).parent)


def test_the_nearest_configuration_counts_but_not_beyond_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "bots" / "one"
    inner.mkdir(parents=True)
    outer = written(tmp_path, "perfscan.yaml", "")
    assert find_configuration(inner) == outer
    (tmp_path / "repository" / ".git").mkdir()
    assert find_configuration(inner) is None
    near = written(tmp_path / "repository", "pyproject.toml", "[tool.perfscan]\n")
    written(inner, "pyproject.toml", "[project]\nname = 'perfscan-user'\n")
    assert find_configuration(inner) == near


def test_two_in_one_folder_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "perfscan.yaml", "")
    written(tmp_path, "pyproject.toml", "[tool.perfscan]\n")
    with pytest.raises(InputError, match="both"):
        find_configuration(tmp_path)
