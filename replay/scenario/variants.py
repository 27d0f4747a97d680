"""``variants``: the same bots under other circumstances, one by one."""

from __future__ import annotations

from perfscan.replay.amounts import read_factor
from perfscan.replay.model import Change, Variant
from perfscan.replay.scenario.fields import read_command, read_entries, read_file
from perfscan.replay.scenario.implementations import read_environment
from perfscan.replay.scenario.limits import read_scenario_faults
from perfscan.replay.yaml_node import YamlNode

_CHANGES = ("faults", "recording", "load", "original", "optimized")


def read_variants(node: YamlNode | None) -> tuple[Variant, ...]:
    """Read the variants in the order in which they are to run."""
    return tuple(_variant(name, child) for name, child in read_entries(node).items())


def _variant(name: str, node: YamlNode) -> Variant:
    fields = node.fields(("title", *_CHANGES))
    if not fields.keys() & set(_CHANGES):
        raise node.mistake("nothing is otherwise here", f"give {', '.join(_CHANGES)}")
    return Variant(
        name=name,
        title=fields["title"].text() if "title" in fields else name,
        faults=read_scenario_faults(fields.get("faults")),
        recording=read_file(fields["recording"]) if "recording" in fields else None,
        load=_load(fields["load"]) if "load" in fields else 1.0,
        original=_change(fields.get("original")),
        optimized=_change(fields.get("optimized")),
    )


def _load(node: YamlNode) -> float:
    try:
        return read_factor(node.scalar())
    except ValueError as error:
        raise node.mistake(str(error)) from error


def _change(node: YamlNode | None) -> Change:
    if node is None:
        return Change()
    fields = node.fields(("command", "environment"))
    change = Change(
        command=read_command(fields["command"]) if "command" in fields else (),
        environment=read_environment(fields.get("environment")),
    )
    if not change:
        raise node.mistake("nothing is otherwise here", "give command or environment")
    return change
