"""The JSON schema of scenarios says what the reader accepts, key by key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from perfscan.errors import InputError
from perfscan.replay.scenario import read_bench

ROOT = Path(__file__).resolve().parents[2]
SCHEMA: dict[str, Any] = json.loads(
    (files("perfscan.replay") / "scenario" / "schema.json").read_text("utf-8")
)
Place = tuple[str | int, ...]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def alternatives(schema: dict[str, Any]) -> list[dict[str, Any]]:
    schema = resolved(schema)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return [one for choice in choices for one in alternatives(choice)]
    return [schema]


def mappings(schema: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield every mapping with fixed keys, with a place at which it may stand.

    Of several kinds of mapping for one place each requires the key that tells it from the others,
    first of all, and gives an example for it.
    """
    for one in alternatives(schema):
        for name, child in one.get("properties", {}).items():
            yield from mappings(child, (*place, name))
        if isinstance(one.get("additionalProperties"), dict):
            name = "*" if "propertyNames" in one else "some"
            yield from mappings(one["additionalProperties"], (*place, name))
        if isinstance(one.get("items"), dict):
            yield from mappings(one["items"], (*place, 0))
        if "properties" in one:
            yield place, one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "traffic.jsonl").write_text("")
    return tmp_path


COMPUTE: dict[str, Any] = {
    "schema": "perfscan.scenario/1",
    "kind": "compute",
    "name": "test",
    "data": "traffic.jsonl",
    "implementations": {
        "original": {"function": "module:function"},
        "optimized": {"function": "module:function"},
    },
}


def service() -> dict[str, Any]:
    """A scenario whose required parts are right, so that the reader comes to what is tested."""
    key = {"path": "$.id"}
    return {
        "schema": "perfscan.scenario/1",
        "name": "test",
        "recording": "traffic.jsonl",
        "implementations": {
            "original": {"command": "python bot.py"},
            "optimized": {"command": "python bot.py"},
        },
        "items": {
            "stimulus": {"websocket": "wss://a.example/", "key": key},
            "effect": {"request": "POST https://b.example/", "key": key},
        },
        "limits": [{"host": "a.example", "rate": "10/1s"}],
    }


def put(scenario: Any, place: Place, value: Any) -> Any:
    """Return ``scenario`` with ``value`` at ``place``, what is missing on the way made up."""
    if not place:
        if isinstance(scenario, dict) and isinstance(value, dict):
            return {**scenario, **value}
        return value
    step, *rest = place
    if isinstance(step, int):
        return [
            put(scenario[0] if isinstance(scenario, list) and scenario else None, (*rest,), value)
        ]
    inner = dict(scenario) if isinstance(scenario, dict) else {}
    inner[step] = put(inner.get(step), (*rest,), value)
    return inner


BASES = {"service": service(), "compute": COMPUTE}


def keys_that_the_reader_knows(
    folder: Path, base: dict[str, Any], place: Place, schema: dict[str, Any]
) -> set[str]:
    """Ask the reader by giving it a key that it cannot know."""
    scenario = base
    kind = schema.get("required", [""])[0]
    if examples := schema["properties"].get(kind, {}).get("examples"):
        scenario = put(scenario, place, None)
        scenario = put(scenario, (*place, kind), examples[0])
    scenario = put(scenario, place, {"no such key": 1})
    file = folder / "scenario.yaml"
    file.write_text(yaml.safe_dump(scenario, sort_keys=False), "utf-8")
    with pytest.raises(InputError, match="unknown key 'no such key'") as caught:
        read_bench(file)
    remedy = caught.value.remedy or ""
    return set(re.sub(r"^the keys here are ", "", remedy).split(", "))


def cases() -> Iterator[Any]:
    for kind, base in BASES.items():
        for place, schema in mappings(SCHEMA["$defs"][kind]):
            name = ".".join(map(str, (kind, *place)))
            yield pytest.param(base, place, schema, id=name)


@pytest.mark.parametrize(("base", "place", "schema"), list(cases()))
def test_reader_and_schema_know_the_same_keys(
    base: dict[str, Any], place: Place, schema: dict[str, Any], folder: Path
) -> None:
    assert keys_that_the_reader_knows(folder, base, place, schema) == set(schema["properties"])


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "fixtures" / "bots").glob("*/*.yaml")), ids=lambda file: file.parent.name
)
def test_bundled_scenarios_are_valid(file: Path) -> None:
    jsonschema.validate(yaml.safe_load(file.read_text("utf-8")), SCHEMA)


def test_every_property_is_explained_or_plain() -> None:
    for place, schema in mappings(SCHEMA):
        for name, child in schema["properties"].items():
            told = {**resolved(child), **child}
            assert {"description", "const", "properties", "type"} & told.keys(), (*place, name)
