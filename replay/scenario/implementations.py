"""``implementations``: how each side is started."""

from __future__ import annotations

from perfscan.replay.model import Implementation
from perfscan.replay.scenario.fields import (
    read_command,
    read_directory,
    read_entries,
    read_folder,
    read_whole,
)
from perfscan.replay.scenario.services import read_services
from perfscan.replay.yaml_node import YamlNode


def read_implementation(name: str, node: YamlNode) -> Implementation:
    """Read one side."""
    fields = node.fields(
        ("command", "directory", "environment", "prepare", "services", "switches", "listens"),
        required=("command",),
    )
    return Implementation(
        name=name,
        command=read_command(fields["command"]),
        directory=read_directory(fields["directory"])
        if "directory" in fields
        else read_folder(node),
        environment=read_environment(fields.get("environment")),
        prepare=read_command(fields["prepare"]) if "prepare" in fields else (),
        services=read_services(fields.get("services")),
        switches={
            switch: read_environment(values)
            for switch, values in read_entries(fields.get("switches")).items()
        },
        listens=_port(fields["listens"]) if "listens" in fields else None,
    )


def _port(node: YamlNode) -> int:
    if (port := read_whole(node, at_least=1)) > 65_535:
        raise node.mistake(f"not a port: {port}", "ports end at 65535")
    return port


def read_environment(node: YamlNode | None) -> dict[str, str]:
    """Read variables with their values; none where they are left out."""
    return {name: value.scalar() for name, value in read_entries(node).items()}
